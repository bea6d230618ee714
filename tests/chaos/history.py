"""What was written, and what browsers showed, in a form that `judge` can decide by.

A *register* is one thing that changes and that a body shows, under a name of its own:

==============  ======================================  ===========================================
register        what                                    its values
==============  ======================================  ===========================================
``c3_7``        a chapter of course 3                   ``v0``, ``v1``…: a number in its title
``k3``          course 3                                the same
``m5``          a video                                 the same
``l3_81``       the link with id 81, in course 3        ``there``
``h3``          a chapter that is moved about           the chapter that it stands behind
``r3_1042``     what user 1042 is in course 3           ``viewer``, ``editor``
==============  ======================================  ===========================================

and of each, ``None`` where it is not. One writer at a time writes a register, and does not write it
again before it knows what became of the write before. So the values of one register have one order,
whatever the order of the others; and a browser that shows them out of it went back.
"""

from dataclasses import dataclass, field
from hashlib import blake2b

GONE = "gone"
"""In place of a digest: the server said that there is nothing, or nothing for this user."""

TITLE = "{register}.{value}"


def digest_of(body: bytes) -> str:
    """What stands for a body in the logs."""
    return blake2b(body, digest_size=12).hexdigest()


@dataclass
class Write:
    """One action of one writer, from the first attempt to the answer."""

    number: int
    action: str
    key: str
    """Its Idempotency-Key."""
    user_id: int
    begun: float
    effects: dict[str, str | None] = field(default_factory=dict)
    """The value that each register takes by it."""
    outcome: str = "unknown"
    """``done``, ``refused`` (nothing was written), or ``unknown`` (no answer ever came)."""
    answered: float = 0.0
    tries: int = 0
    stamp: str = ""
    trace: str = ""
    """Under which its event is published, as far as is known."""

    def __str__(self) -> str:
        took_s = self.answered - self.begun if self.answered else 0
        effects = ", ".join(f"{register} = {value}" for register, value in self.effects.items())
        return (
            f"write {self.number} {self.action} ({effects}) begun {self.begun:.3f} by user "
            f"{self.user_id}, {self.outcome} after {took_s:.3f} s and {self.tries} tries, "
            f"stamp {self.stamp or '-'}, trace {self.trace or '-'}"
        )


@dataclass(frozen=True)
class Happening:
    """Something that happened at a browser.

    ``kind``: ``shown`` (another body), ``same`` (what is shown is still so), ``gone``, ``late``,
    ``failed``, ``bad-floor``, of one key; or ``frame`` and ``state``, of its stream. ``more`` is a
    body's digest, or a frame's keys; ``begun`` when the read began.
    """

    at: float
    kind: str
    key: str
    stamp: str
    cause: str
    trace: str
    more: str
    begun: float = 0.0

    def __str__(self) -> str:
        words = (self.kind, self.key, self.stamp, self.cause, self.trace, self.more)
        return f"{self.at:.3f} {' '.join(word for word in words if word and word != 'None')}"
