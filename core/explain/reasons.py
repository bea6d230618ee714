"""Reasons, in words: why a screen that shows a key moved with a notice, or did not.

Pure: a registry and what a worker noted, nothing else.
"""

from collections.abc import Iterable, Sequence

from core.errors import InvalidKey
from core.explain.traces import MOST, Told
from core.explain.why import BY_NAME, Named
from core.keys import ACCESS, prefixes
from core.queries import Key
from core.registry import Registry
from core.staleness import Rule

_MOST_SHOWN = 5

_CAUSES = {
    "refresh": "flask live refresh",
    "healed": "the freshness guard, which healed a missed invalidation",
    "parked": "the relay, in the place of an event that it could not publish",
}


def reason(registry: Registry, trace: str, told: Sequence[Told], key: str) -> str:
    """Why a region that shows *key* was called by the notices of *trace*, or was not.

    *told* are the notices of that trace, as one worker heard them.
    """
    if not told:
        return (
            f"This worker knows no notice with the trace {trace}: none has arrived here, or it is "
            f"not among the last {MOST}."
        )
    try:
        shown = registry.parse_key(key)
    except InvalidKey as error:
        return f"No region can show this: {error}"
    for each in told:
        if each.notice.reset:
            return (
                f"This notice ({_cause(registry, each)}) named every key: the region that shows "
                f"{key} was called."
            )
        naming = [name for name in each.notice.keys if name in prefixes(key)]
        if naming:
            return _called(each, naming[0], key)
    return " ".join(_not_called(registry, each, shown) for each in told)


def _called(told: Told, name: str, key: str) -> str:
    rules = [rule for rule in told.why.named if name in (*rule.keys, *rule.later)]
    how = f", because {_and(_rule(rule) for rule in rules)} named it" if rules else ""
    through = "" if name == key else f" by way of {name}"
    return (
        f"This notice named {key}{through}{how}: the region that shows it was called. A browser "
        f"that shows something as new as {told.stamp} already reads nothing."
    )


def _not_called(registry: Registry, told: Told, shown: Key) -> str:
    named = f"This notice ({_cause(registry, told)}) named {_keys(told.notice.keys)}; "
    named += f"this region shows {shown.text}."
    event = registry.events.get(told.notice.cause)
    if event is None:
        return named
    query = shown.query
    owner = query.namespace
    if query.constant:
        return f"{named} {owner} is declared constant: nothing makes it stale."
    readers = [(owner, query.staleness.rules)]
    readers += [(part.staleness.owner, part.staleness.rules) for part in registry.parts_of(query)]
    hearing = [(name, rule) for name, rules in readers for rule in rules if rule.event is event]
    if not hearing:
        heard = _and(rule.event.__name__ for _, rules in readers for rule in rules)
        return f"{named} {owner} is stale on {heard}; {event.__name__} is not among them."
    return f"{named} {' '.join(_answered(name, rule, told) for name, rule in hearing)}"


def _answered(owner: str, rule: Rule, told: Told) -> str:
    how = rule.answer.__name__ if rule.answer is not None else BY_NAME
    found = [each for each in told.why.named if each.owner == owner and each.how == how]
    keys = [key for each in found for key in (*each.keys, *each.later)]
    event = rule.event.__name__
    if rule.answer is None:
        return f"{owner} hears {event} by name: its fields said {_keys(keys)}."
    if not keys:
        return f"{owner} hears {event} in {how}(), which yielded nothing this time."
    return f"{owner} hears {event} in {how}(), which yielded {_keys(keys)}."


def _cause(registry: Registry, told: Told) -> str:
    event = registry.events.get(told.notice.cause)
    return (
        event.__name__ if event is not None else _CAUSES.get(told.notice.cause, told.notice.cause)
    )


def _rule(rule: Named) -> str:
    return f"{rule.owner} ({rule.how if rule.how == BY_NAME else f'{rule.how}()'})"


def _keys(keys: Iterable[str]) -> str:
    found = [key for key in dict.fromkeys(keys) if not key.startswith(f"{ACCESS}:")]
    if not found:
        return "nothing"
    rest = f" and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
    return ", ".join(found[:_MOST_SHOWN]) + rest


def _and(words: Iterable[str]) -> str:
    *head, last = list(dict.fromkeys(words)) or ["nothing"]
    return f"{', '.join(head)} and {last}" if head else last
