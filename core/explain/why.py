"""Why a notice names what it names: carried by the notice itself, so that every worker knows."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

BY_NAME = "by name"
"""How a rule answers that has no function: the key's parameters are fields of the event."""

_MOST_RULES, _MOST_KEYS = 50, 20


@dataclass(frozen=True, slots=True)
class Named:
    """What one rule answered: ``owner`` is the read that declares it (``chapters.list``,
    ``courses.detail+chapters``, ``guard courses.course_access``), ``how`` is `BY_NAME` or the
    name of a function, ``keys`` are text forms. ``later`` keys were only seen by the second look,
    after the commit.
    """

    owner: str
    how: str
    keys: tuple[str, ...]
    later: tuple[str, ...] = ()

    def seen_again(self, keys: Iterable[str]) -> "Named":
        """With what the second look saw: what the first did not is ``later``."""
        new = tuple(key for key in keys if key not in self.keys)
        return Named(self.owner, self.how, self.keys, new)


@dataclass(frozen=True, slots=True)
class Why:
    """The origin of one notice.

    ``by`` is who wrote (“action 'chapters.link_media'”), empty where that is not known any more;
    ``row`` the id of its outbox row; ``sent`` when it was published, in seconds since the epoch;
    ``swept`` whether the request that wrote could not publish it. ``more`` rules were left out.
    ``span`` is the action's, for `core.telemetry.spans`.
    """

    by: str = ""
    row: int | None = None
    sent: float = 0.0
    swept: bool = False
    named: tuple[Named, ...] = ()
    more: int = 0
    span: str = ""

    def encode(self) -> str:
        """Its JSON, of bounded length: at most 50 rules, with 20 keys of each."""
        rules = [
            [rule.owner, rule.how, rule.keys[:_MOST_KEYS], rule.later[:_MOST_KEYS]]
            for rule in self.named[:_MOST_RULES]
        ]
        body: dict[str, Any] = {"by": self.by, "sent": round(self.sent, 4), "named": rules}
        if self.row is not None:
            body["row"] = self.row
        if self.swept:
            body["swept"] = True
        if self.span:
            body["span"] = self.span
        if len(self.named) > _MOST_RULES:
            body["more"] = len(self.named) - _MOST_RULES
        return json.dumps(body, separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> "Why":
        """What `encode` wrote; of what an older or newer release wrote, what can be understood."""
        try:
            body = json.loads(text)
            rules = [
                Named(str(owner), str(how), tuple(keys), tuple(later))
                for owner, how, keys, later in body.get("named", ())
            ]
            return cls(
                by=str(body.get("by", "")),
                row=body.get("row"),
                sent=float(body.get("sent", 0.0)),
                swept=bool(body.get("swept", False)),
                named=tuple(rules),
                more=int(body.get("more", 0)),
                span=str(body.get("span", "")),
            )
        except (ValueError, TypeError, AttributeError):
            return cls()


def both_looks(first: Sequence[Named], second: Sequence[Named]) -> tuple[Named, ...]:
    """What the rules answered inside the transaction, and those in code once more after it."""
    again = {(rule.owner, rule.how): rule for rule in second}
    found = [rule.seen_again(again.pop((rule.owner, rule.how), rule).keys) for rule in first]
    found += [Named(rule.owner, rule.how, (), rule.keys) for rule in again.values()]
    return tuple(rule for rule in found if rule.keys or rule.later)
