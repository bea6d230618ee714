"""A trial: one sequence of actions, and what everybody sees between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import g

from core.access import Me
from core.actions import Action
from core.errors import Conflict, Problem
from core.freshness.advice import advise
from core.freshness.blame import readers_of
from core.freshness.questions import KeyQuestion
from core.freshness.writes import Fact, Write
from core.keys import access_key, prefixes
from core.reads import make_bodies
from core.testing.onlookers import Onlookers, Shown
from core.testing.site import Site
from core.writes import Outcome, run_action


@dataclass(frozen=True)
class Step:
    """Somebody does something; what they may not do, the others try in turn."""

    action: Action[..., Any]
    me: Me
    arguments: Mapping[str, Any]


class Trial:
    """Steps are taken one by one; the first that changes what somebody sees, unnamed, fails."""

    def __init__(self, site: Site, onlookers: Onlookers) -> None:
        self.onlookers = onlookers
        self._site = site
        self._registry = site.runtime.registry
        self._steps: list[str] = []
        self._now: dict[str, Shown] = {}

    def take(self, step: Step) -> bool:
        """Run its action, and look at every key before and after; whether it was not refused."""
        before = self._now or self.onlookers.look()
        mark = self._site.live.mark()
        outcome = self._try(step)
        carried_out, outcome = outcome is not None, outcome or _NOTHING
        for event in outcome.events:
            self.onlookers.learn(event.model_dump())
        # What a reaction changes is named by the reaction's own events.
        told = self._site.live.told_since(mark)
        named = {*outcome.stale, *(key for each in told for key in each.notice.keys)}
        done = _Done(step.action, outcome, named)
        after = self._now = self.onlookers.look()
        for text in before.keys() & after.keys():
            for person in self.onlookers.people:
                self._compare(text, person, before[text].to(person), after[text].to(person), done)
        return carried_out

    def _try(self, step: Step) -> Outcome | None:
        """What came of it, for the first who may do it; ``None`` when it was refused."""
        outcome, came_of_it = None, ""
        for person in sorted(self.onlookers.people, key=lambda each: each is not step.me):
            try:
                with self._site.app.test_request_context():
                    g.coursewire_me = person  # an action may ask who is asking, as over HTTP
                    outcome = _carry_out(step.action, step.arguments, person)
            except Problem as problem:
                came_of_it = f"{person.name}: refused, {problem.status}"
                if problem.status not in (403, 404):
                    break
            else:
                came_of_it = person.name
                break
        shown = ", ".join(f"{name}={value!r}" for name, value in step.arguments.items())
        self._steps.append(f"{step.action.name}({shown}) as {came_of_it}")
        return outcome

    def _compare(self, text: str, me: Me, old: Any, new: Any, done: "_Done") -> None:
        """Raises `AssertionError` where *me* was shown something that changed without a word."""
        if old is None or old == new:
            return
        if access_key(me.user_id) not in done.named and not done.named & set(prefixes(text)):
            raise AssertionError(self._text(text, me, old, new, done))

    def _text(self, text: str, me: Me, old: Any, new: Any, done: "_Done") -> str:
        key = self._registry.parse_key(text)
        question = KeyQuestion(key, me, lambda k, who: make_bodies(self._site.app, k, who))
        readers = readers_of(self._registry, question)
        different = {""}
        if isinstance(old, dict) and isinstance(new, dict):
            different = {name for name in old if old[name] != new.get(name)}
        reader = next((r for r in readers if {r.part} == different), readers[0])
        facts = tuple(Fact.of(event) for event in done.outcome.events)
        named = frozenset(done.outcome.stale)
        write = Write(f"action '{done.action.label}'", facts, frozenset(), frozenset(), named, "")
        steps = "".join(f"\n    {step}" for step in self._steps)
        emitted = ", ".join(fact.name for fact in facts) or "no event"
        stale = ", ".join(sorted(named)) or "nothing"
        return (
            f"'{text}' was changed by {done.action.label}, and nothing named it.\n"
            f"  Steps:{steps}\n"
            f"  {me.name} saw: {old!r}\n"
            f"  and would see: {new!r}\n"
            f"  It emitted {emitted}, which named {stale}.\n"
            f"  Write: {advise(reader, question, write)}"
        )


@dataclass(frozen=True)
class _Done:
    """An action that was tried: what came of it, and the keys that were named meanwhile."""

    action: Action[..., Any]
    outcome: Outcome
    named: set[str]


_NOTHING = Outcome(None, None, (), None)


def _carry_out(action: Action[..., Any], arguments: Mapping[str, Any], me: Me) -> Outcome:
    """Run *action*; once more with what it says is there now, if it started from something else:
    the values of ``theirs`` as ``was``, an order of the list that it names, backwards.
    """
    try:
        return run_action(action, arguments, me)
    except Conflict as conflict:
        now = {**conflict.fields, "was": conflict.fields.get("theirs")}
        now = {name: value for name, value in now.items() if name in arguments and value}
        if not now:
            raise
        orders = {name: value[::-1] for name, value in now.items() if isinstance(value, list)}
        body = action.body_type.model_validate(arguments).model_dump(mode="json")
        again = action.arguments_from_json({**body, **now, **orders})
        return run_action(action, again, me)
