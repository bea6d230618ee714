"""Advice: the line that mends a missed invalidation."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.freshness.blame import Reader
from core.freshness.questions import GrantQuestion, KeyQuestion, Question
from core.freshness.writes import OUTSIDE, Fact, Write
from core.guards import Guard
from core.keys import prefixes
from core.queries import Part, Query


def advise(reader: Reader, question: Question, write: Write) -> str:
    """What to write so that *write* makes the answer to *question* stale."""
    heard = {rule.event.wire_name: rule for rule in reader.staleness.rules}
    wanted = _wanted(question)
    if not write.events:
        return _emit(write, question, [rule.event.__name__ for rule in heard.values()])
    unheard = [fact for fact in write.events if fact.wire_name not in heard]
    fitting = [fact for fact in unheard if _supplies(fact, wanted)]
    if fitting:
        by_name = [rule.event.__name__ for rule in heard.values() if rule.answer is None]
        return _declaration(reader, [*by_name, fitting[0].name])
    told = [fact for fact in write.events if fact.wire_name in heard]
    if told:
        rule = heard[told[0].wire_name]
        return _mend(told[0], rule.answer, question, wanted, write)
    return (
        f"@{_function(reader)}.stale_on({unheard[0].name}) on a function of the event that "
        f"yields {_params(question)}"
    )


def _emit(write: Write, question: Question, heard: Sequence[str]) -> str:
    if write.by == OUTSIDE:
        return (
            "do it in an action, or inside `with transaction():`, and emit() there what happened "
            f"(once, from a console: flask live refresh {question.keys[0]})"
        )
    known = f" {' or '.join(heard)}, or" if heard else ""
    return f"emit() in {write.by}{known} an event of its own that you add to stale_on=[…]"


def _declaration(reader: Reader, events: Sequence[str]) -> str:
    stale_on = f"stale_on=[{', '.join(dict.fromkeys(events))}]"
    if isinstance(reader.read, Query):
        return f'@plugin.query("{reader.read.name}", …, {stale_on})'
    if isinstance(reader.read, Part):
        host = reader.read.host.function.__name__
        return f'@{host}.part("{reader.read.name}", …, {stale_on})'
    return f"@plugin.guard({stale_on})"


def _mend(
    fact: Fact, answer: Any, question: Question, wanted: Mapping[str, Any], write: Write
) -> str:
    if answer is None:
        said = ", ".join(f"{name}={fact.fields[name]!r}" for name in wanted if name in fact.fields)
        right = ", ".join(f"{name}={value!r}" for name, value in wanted.items())
        return (
            f"emit({fact.name}(…)) in {write.by} for {right} too: it was emitted with {said}, "
            "which is another key"
        )
    own = _namespace(question)
    named = sorted(key for key in write.named if own in prefixes(key))
    instead = f"it named {', '.join(named[:3])}" if named else "it named nothing of the kind"
    return f"let {answer.__name__}({fact.name}) yield {_params(question)} too: {instead}"


def _supplies(fact: Fact, wanted: Mapping[str, Any]) -> bool:
    return all(fact.fields.get(name, ...) == value for name, value in wanted.items())


def _wanted(question: Question) -> dict[str, Any]:
    """The fields of an event that names the key by name."""
    if isinstance(question, GrantQuestion):
        return {"user_id": question.me.user_id}
    assert isinstance(question, KeyQuestion)  # noqa: S101  there are two kinds
    key = question.key
    return {
        "user_id" if parameter.is_me else parameter.name: key.values[parameter.name]
        for parameter in key.query.required
    }


def _params(question: Question) -> str:
    values: Iterable[Any] = _wanted(question).values()
    if isinstance(question, KeyQuestion):
        return repr(tuple(values))
    return f"the user's id, {next(iter(values))}"


def _namespace(question: Question) -> str:
    return ":".join(question.keys[0].split(":", 2)[:2])


def _function(reader: Reader) -> str:
    if isinstance(reader.read, Guard):
        return reader.read.decide.__name__
    return reader.read.function.__name__
