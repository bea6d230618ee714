"""Passwords: how they are stored, and which are refused."""

import re
from functools import cache

from werkzeug.security import check_password_hash, generate_password_hash

from core import Invalid, run_blocking
from core.languages import gettext as _

MIN_LENGTH = 12
MAX_LENGTH = 1024

_METHOD = "scrypt:32768:8:3"
"""N, r and p as the OWASP Password Storage Cheat Sheet names them: 32 MB, and some 150 ms of one
processor, in a thread beside the event loop."""

_NOBODYS_HASH = (
    "scrypt:32768:8:3$kb8pMSmxz9GSDWIP$fd928f4da50108915c955fa8565ecd5822dd878d5b70d61b66637fcd3cf2"
    "b7e45d2b6a5a7464c495f8b31cc51f49d3e65a07759f616f12e5f7543df9267d9209"
)

_SCORE = 3
"""Of zxcvbn's scale, 0 to 4: more than 10^8 guesses by somebody who tries what people choose."""

_LOOKED_AT = 72
"""Characters that zxcvbn looks at; its work grows with the square of them."""


def hash_password(password: str) -> str:
    """What is stored of *password*."""
    return run_blocking(generate_password_hash, password, _METHOD)


def password_fits(password_hash: str | None, password: str) -> bool:
    """Whether *password* is the one; no hash costs the same time and never fits.

    So an answer's time does not tell whether an e-mail address has an account.
    """
    fits: bool = run_blocking(check_password_hash, password_hash or _NOBODYS_HASH, password)
    return fits and bool(password_hash)


def check_password(password: str, *about: str, field: str = "password") -> None:
    """Raises `Invalid` for a *password* that is short, much used, or little else than *about*.

    Only its length and how soon it is guessed count; no kind of character is asked for. Much used
    are those of leaks, with what people do to them (zxcvbn's list, of which nothing leaves here).
    *field* is the one of the form to say it beside.
    """
    if len(password) < MIN_LENGTH:
        raise _refused(
            field,
            _(
                "Use %(count)s characters or more. A few words that do not belong together are "
                "easily kept in mind.",
                count=MIN_LENGTH,
            ),
        )
    words = {word for text in about for word in re.findall(r"\w{3,}", text.casefold())}
    left = password.casefold()
    for word in sorted(words | {"coursewire"}, key=len, reverse=True):
        left = left.replace(word, "")
    if len(left) < MIN_LENGTH // 2:
        raise _refused(
            field,
            _(
                "This says little but your own name or address. Choose something that nobody who "
                "knows you would try."
            ),
        )
    if run_blocking(_score, password[:_LOOKED_AT]) < _SCORE:
        raise _refused(
            field,
            _(
                "This is among the first that somebody would guess: it is, or resembles, one of "
                "many known from leaks, or repeats itself. Choose another."
            ),
        )


def _refused(field: str, text: str) -> Invalid:
    return Invalid(_("%(text)s Nothing was saved.", text=text), errors={field: text})


def _score(password: str) -> int:
    score: int = _estimate()(password)["score"]
    return score


@cache
def _estimate():  # type: ignore[no-untyped-def]  # the library has no types
    """zxcvbn; its lists take 20 MB, which only a worker that checks passwords needs."""
    from zxcvbn import zxcvbn  # noqa: PLC0415

    return zxcvbn
