"""The apps that benchmarks serve; those of other packages run in an environment of their own."""
