"""The HTTP surface: one module per kind of address."""
