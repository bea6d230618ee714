"""Each attack that we know of, made on real parts; `docs/security.md` tells which defends what."""
