"""Passwords: hashed with scrypt, which takes a worker's whole attention for some 50 ms."""

from werkzeug.security import check_password_hash, generate_password_hash

from core import run_blocking

MIN_LENGTH = 8

_NOBODYS_HASH = (
    "scrypt:32768:8:1$z7nc8YN2v3SyWg6F$9258344007827cf291b35001332c100641489375bf46b8b8946cc5f2"
    "804795515d6a4914a90d6ae727b7c4038062c0a74d1f361fe15f597d0c3333b90f33bfbd"
)


def hash_password(password: str) -> str:
    """What is stored of *password*."""
    return run_blocking(generate_password_hash, password)


def password_fits(password_hash: str | None, password: str) -> bool:
    """Whether *password* is the one; ``None`` costs the same time and never fits.

    So an answer's time does not tell whether an e-mail address has an account.
    """
    fits: bool = run_blocking(check_password_hash, password_hash or _NOBODYS_HASH, password)
    return fits and password_hash is not None
