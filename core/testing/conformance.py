"""Conformance: no query of any plugin stays as it was after an action that changed it unnamed.

Hypothesis makes up sequences of a plugin's actions. Around each, every key that can be asked is
read, as everybody; what differs must have been named by an event, as itself, by a prefix, or as the
access of the one who sees it.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from core.access import Me
from core.actions import Action
from core.plugin import Plugin
from core.testing.onlookers import Onlookers, Values
from core.testing.site import Client, Site
from core.testing.snapshot import Snapshot
from core.testing.strategies import arguments_of
from core.testing.trial import Step, Trial


def conforms(
    site: Site,
    plugin: Plugin,
    people: Sequence[Client],
    *,
    values: Values | None = None,
    examples: int = 25,
    steps: int = 6,
) -> dict[str, int]:
    """Prove that what the actions of *plugin* change, for whichever query of any plugin, is named.

    *people* have signed in; they act and look, in turn. Ids (``course_id``, ``note_id``) are taken
    from the events that are emitted, from what the keys show, and from *values*. Every example
    begins with the data that the site has now. Raises `AssertionError` with the shortest sequence
    of actions that leaves a screen stale, and the line to write. Actions that take files are left
    out.

    Returns how often each action was carried out; one that was never is tried as much again, as
    every other step. If it is still refused each time, that proves nothing: give *values* for what
    it takes.
    """
    from hypothesis import HealthCheck, Phase, given, settings  # noqa: PLC0415  only who tests has it
    from hypothesis import strategies as st  # noqa: PLC0415

    actions = [action for action in plugin.actions if not action.takes_upload]
    if not actions:
        raise AssertionError(f"The plugin '{plugin.name}' has no action that could be tried.")
    signed_in = _users_of(people)
    site.settle()
    start = Snapshot(site)
    done = dict.fromkeys((action.name for action in actions), 0)
    taken: list[Step] = []

    def begin() -> Trial:
        start.restore()
        return Trial(site, Onlookers(site, plugin, signed_in, values or {}))

    def attempt(choice: Sequence[Action[..., Any]]) -> None:
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def sequence(data: Any) -> None:
            trial = begin()
            taken.clear()
            for _ in range(data.draw(st.integers(1, steps))):
                action = data.draw(st.sampled_from(choice))
                me = data.draw(st.sampled_from(signed_in))
                arguments = data.draw(arguments_of(action, trial.onlookers.known()))
                taken.append(Step(action, me, arguments))
                done[action.name] += trial.take(taken[-1])

        sequence()

    try:
        with warnings.catch_warnings():
            # It takes what the site's threads do meanwhile (jitter) for a doing of its own.
            warnings.filterwarnings("ignore", "Do not use the `random` module")
            attempt(actions)
            for action in actions:
                if not done[action.name]:
                    attempt([action] * len(actions) + actions)
    except AssertionError as failed:
        raise _shortest(taken, begin, failed) from None
    finally:
        start.restore()
        start.forget()
    if not any(done.values()):
        raise AssertionError(
            f"Every action of '{plugin.name}' was refused each time, which proves nothing. Give "
            'values={"note_id": …} for what they take, or sign in people who may act.'
        )
    return done


def _users_of(people: Sequence[Client]) -> list[Me]:
    users = [client.me for client in people]
    signed_in = [me for me in users if me is not None]
    if not signed_in or len(signed_in) < len(users):
        raise AssertionError("conforms() needs people who have signed in: clients of the site.")
    return signed_in


def _shortest(
    steps: Sequence[Step], begin: Callable[[], Trial], failed: AssertionError
) -> AssertionError:
    """What the shortest part of *steps* fails with. Hypothesis would need minutes: an example is
    slow here, and most of what it tries is no sequence at all.
    """
    kept = list(steps)
    for step in kept[:-1]:
        shorter = [each for each in kept if each is not step]
        trial = begin()
        try:
            for each in shorter:
                trial.take(each)
        except AssertionError as still:
            kept, failed = shorter, still
    return failed
