"""Core, from keys to streams, on real parts."""
