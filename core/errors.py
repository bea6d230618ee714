"""Every error of Coursewire, in one tree.

::

    CoursewireError
    ├── SetupError              a developer's mistake, found at start; carries every fault found
    ├── BusUnavailable          Redis does not answer in time
    ├── ReactionTooSlow         a reaction did not end in time
    ├── InvalidKey              a text that is no key
    ├── InvalidStamp            a text that is no stamp
    └── Problem                 an answer to the one who asks (RFC 9457)
        ├── BadRequest          400
        ├── SignInNeeded        401
        ├── Forbidden           403
        ├── NotFound            404
        ├── Conflict            409
        ├── TooLarge            413
        ├── Invalid             422, with a text per field
        ├── TooMany             429
        └── Unavailable         503
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.languages import gettext, later


class CoursewireError(Exception):
    """The root of the tree."""


@dataclass(frozen=True)
class Fault:
    """One mistake found at start: whose it is, what it is, and what to do."""

    plugin: str
    text: str

    def __str__(self) -> str:
        return f"[{self.plugin}] {self.text}"


class SetupError(CoursewireError):
    """The app cannot start; ``faults`` holds every mistake found, not only the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        head = f"Coursewire cannot start: {count} {'fault' if count == 1 else 'faults'}."
        plugins = sorted({fault.plugin for fault in self.faults})
        hint = (
            "To start without a plugin, remove its name from COURSEWIRE_PLUGINS "
            f"(at fault: {', '.join(plugins)})."
        )
        super().__init__("\n".join([head, *(f"  - {fault}" for fault in self.faults), hint]))


class BusUnavailable(CoursewireError):
    """Redis did not answer in time; ``reason`` says how.

    ``refused``: it did answer, and refused this very command, while it takes others.
    """

    def __init__(self, reason: str, *, refused: bool = False) -> None:
        self.reason = reason
        self.refused = refused
        super().__init__(f"Redis does not answer: {reason}")


class ReactionTooSlow(CoursewireError):
    """A reaction did not end in time, and was ended; it is tried again later."""


class InvalidKey(CoursewireError):
    """A text that is not the canonical form of a key; ``text`` is what was sent."""

    def __init__(self, text: str, reason: str) -> None:
        self.text = text[:200]
        self.reason = reason
        super().__init__(f"“{self.text}” is not a key: {reason}")


class InvalidStamp(CoursewireError):
    """A text that is not ``<generation>-<sequence>``."""

    def __init__(self, text: str) -> None:
        self.text = text[:80]
        super().__init__(
            f"“{self.text}” is not a stamp. A stamp is 12 hex digits, a hyphen and a number, "
            "such as 3f2a9c01b7de-41."
        )


class Problem(CoursewireError):
    """An error that is shown to the one who asks, as ``application/problem+json`` or as a page.

    ``detail`` says what happened and what to do. ``errors`` maps a field's name to the text shown
    beside it. Further keyword arguments become members of the JSON object.
    """

    status = 500
    title = later("Something went wrong")

    def __init__(
        self,
        detail: str,
        *,
        title: str | None = None,
        errors: Mapping[str, str] | None = None,
        **fields: object,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.title = title or type(self).title
        self.errors = dict(errors or {})
        self.fields = fields

    def as_json(self) -> dict[str, object]:
        """The members of the problem object, without those that are empty.

        Texts are put into the language at hand where they are not yet: one that was raised where
        there is none, such as in a query, is marked with `later`.
        """
        body: dict[str, object] = {
            "title": gettext(self.title),
            "status": self.status,
            "detail": gettext(self.detail),
        }
        if self.errors:
            body["errors"] = {name: gettext(text) for name, text in self.errors.items()}
        return body | self.fields


class BadRequest(Problem):
    """The address, a header or the body cannot be read."""

    status = 400
    title = later("The request cannot be read")


class SignInNeeded(Problem):
    """Nobody is signed in."""

    status = 401
    title = later("Sign in first")


class Forbidden(Problem):
    """The user may look at this and not change it."""

    status = 403
    title = later("Not allowed")


class NotFound(Problem):
    """Not there, or not for this user to see: the two answer alike."""

    status = 404
    title = later("Not found")


class Conflict(Problem):
    """Somebody else changed it meanwhile, or it is in use."""

    status = 409
    title = later("Changed meanwhile")


class TooLarge(Problem):
    """More bytes than the settings allow."""

    status = 413
    title = later("Too large")


class Invalid(Problem):
    """A field is not as it must be; ``errors`` says which and what to do."""

    status = 422
    title = later("Check what you entered")


class TooMany(Problem):
    """More requests than the settings allow."""

    status = 429
    title = later("Too many requests")


class Unavailable(Problem):
    """Something that is needed does not answer."""

    status = 503
    title = later("Not available right now")
