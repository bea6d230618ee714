"""Mistakes that the machine must find, each a part of the world replaced by a wrong one.

Beside each stand the invariants, by their names in `world`, one of which must catch it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from core.bodies import Bodies
from core.bus import Snapshot
from core.cache import Cache, Found
from core.fanout import BEAT_SLOTS, _End
from core.hub import Heard
from core.keys import access_key
from core.queries import Key
from core.shelves import Shelf
from core.stamps import Stamp
from core.streams import Stream
from core.versions import Arrival, Versions
from core.web.live import Opening, Watched
from tests.model.browser import Browser, Entry, Want
from tests.model.database import Row
from tests.model.redis import Answer, Kept, ModelRedis
from tests.model.worker import Asker, Granted, TurnedHub, Worker
from tests.model.world import Parts

Read = Callable[[], Bodies]


@dataclass(frozen=True)
class Mistake:
    """Wrong parts, and who is to catch them.

    ``among`` names the rules of the machine that may happen to find it, where all of them together
    take too long: it is the sequence that finds it, and what may stand around it.
    """

    parts: Parts
    caught_by: tuple[str, ...]
    among: tuple[str, ...] = ()


def hub_with(versions: type[Versions]) -> type[TurnedHub]:
    """A hub that answers stamps so."""

    class WrongHub(TurnedHub):
        def versions_of(self, snapshot: Snapshot) -> Versions:
            return versions(snapshot, kept=self._settings.versions_kept)

    return WrongHub


class StampAfterData(Cache):
    """The database is read first, and the stamp after it."""

    def _find_shared(self, key: Key, read: Read) -> Found:
        bodies = read()
        return super()._find_shared(key, lambda: bodies)


class NoFloor(Cache):
    """Nobody looks at the floor."""

    def find(self, key: Key, floor: Stamp | None, read: Read, *, bypass: bool = False) -> Found:
        return super().find(key, None, read, bypass=bypass)


class NoBypass(Cache):
    """What is kept answers also one whose write is not published."""

    def find(self, key: Key, floor: Stamp | None, read: Read, *, bypass: bool = False) -> Found:
        return super().find(key, floor, read)


class FloorOfAnotherGeneration(Cache):
    """A floor of a generation that is over asks for nothing, also of a worker that still lives in
    it.
    """

    def _reachable(self, floor: Stamp | None) -> Stamp | None:
        found = super()._reachable(floor)
        return found if floor is None or found is None or found == floor else None


class StrictVersions(Versions):
    """``<`` for ``<=``."""

    def is_current(self, key: str, stamp: Stamp | None) -> bool:
        return super().is_current(key, stamp) and self.version(key) < (stamp or self.stamp).sequence


class NoHorizon(Versions):
    """An unknown key was never named."""

    @property
    def horizon(self) -> int:
        return 0

    def version(self, key: str) -> int:
        newest = super().version(key)
        return newest if newest in self._versions.values() else 0


class NoPrefixes(Versions):
    """Only the key itself counts."""

    def version(self, key: str) -> int:
        return self._versions.get(key, self._horizon)


class NoGeneration(Versions):
    """Only numbers count."""

    def is_current(self, key: str, stamp: Stamp | None) -> bool:
        return stamp is not None and self.version(key) <= stamp.sequence


class NoGap(Versions):
    """A number that is missing surprises nobody."""

    def arrive(self, stamp: Stamp, keys: Any) -> Arrival:
        if stamp.generation == self._generation and stamp.sequence > self._sequence:
            self._sequence = stamp.sequence - 1
        return super().arrive(stamp, keys)


class Uncomparing(TurnedHub):
    """A hub that waits for the next notice to learn that one was lost."""

    def compare(self) -> None:
        """Nothing."""


class BeatsFirst(TurnedHub):
    """A beat overtakes the notices that its stamp covers."""

    def fan_out(self) -> None:
        stamp = self.stamp
        for _ in range(BEAT_SLOTS):
            self._fanout._beat(stamp)
        self._fanout._send_waiting()


class ForgetfulHub(TurnedHub):
    """Who may do something else hears the notice, and not that all they show is stale."""

    def fan_out(self) -> None:
        waiting = self._fanout._waiting
        for item in waiting:
            if isinstance(item, _End):
                item.announcement = None
        waiting.sort(key=lambda item: isinstance(item, _End))
        super().fan_out()


class StrictRecall(ModelRedis):
    """``<`` for ``<=`` in the script."""

    def version(self, keys: Sequence[str], above: Sequence[str]) -> int:
        return super().version(keys, above) + 1


class HorizonlessRecall(ModelRedis):
    """The script forgets the horizon."""

    def version(self, keys: Sequence[str], above: Sequence[str]) -> int:
        return max(self.data.versions.get(key, 0) for key in (*keys, *above))


class PrefixlessRecall(ModelRedis):
    """The script forgets the prefixes."""

    def version(self, keys: Sequence[str], above: Sequence[str]) -> int:
        return super().version(keys, ())


class GenerationlessRecall(ModelRedis):
    """The script forgets the generation."""

    def body(self, name: str) -> Kept | None:
        body = super().body(name)
        if body is not None:
            body.generation = self.generation("")
        return body


class Overwriting(ModelRedis):
    """A body is kept without its lease."""

    def keep(self, names: Sequence[str], arguments: Sequence[Any]) -> Answer:
        _, generation, sequence, text, ttl_ms, budget = arguments
        self.keep_body(names[0], names[1], Kept(generation, sequence, text, ttl_ms / 1000), budget)
        return [1]


class LowHorizon(ModelRedis):
    """A trim does not raise the horizon."""

    def trim(self, kept: int) -> None:
        before = self.data.horizon
        super().trim(kept)
        self.data.horizon = before


class EmptyReset(ModelRedis):
    """A reset forgets the versions and raises no horizon."""

    def reset(self, names: Sequence[str], arguments: Sequence[Any]) -> Answer:
        found = super().reset(names, arguments)
        self.data.horizon = 0
        return found


class OutageForgotten(Shelf[Any]):
    """What was remembered before Redis was away still holds."""

    def _holds(self, kept: Any) -> bool:
        return all(self._hub.is_current(key, kept.stamp) for key in kept.keys)


class Cursor(Worker):
    """A sweeper that asks for the rows above the last one it saw."""

    def claim(self) -> list[Row]:
        seen = getattr(self.world, "seen", 0)
        found = [row for row in super().claim() if row.number > seen]
        self.world.__dict__["seen"] = max([seen, *(row.number for row in found)])
        return found


class OneLook(Worker):
    """The handlers run only before the commit."""

    def look_again(self, row: Row) -> tuple[str, ...]:
        return ()


class DeletesFirst(Worker):
    """The row is deleted, and then published."""

    def publish(self, row: Row, *, patient: bool) -> tuple[tuple[str, ...], Stamp]:
        self.world.database.delete(row.number)
        return super().publish(row, patient=patient)


class RefusalRemembered(Worker):
    """A refusal is remembered, though giving access names nobody."""

    def remember(self, asker: Asker, read: Granted, heard: Heard) -> None:
        self.answers.put(asker.user, read, (access_key(asker.user),), heard)


class HeardAfter(Worker):
    """The guard's answer is read first, and how far was heard after it."""

    def remember(self, asker: Asker, read: Granted, heard: Heard) -> None:
        super().remember(asker, read, self.hub.heard)


@dataclass(frozen=True)
class VerdictFirst(Opening):
    """The verdict, and then the joining."""

    def join(self, stream: Stream) -> bytes:
        before = self.hub.is_current
        known = {w.key.text: before(w.key.text, w.stamp) for w in self.allowed}
        self.hub._bus.pause()  # type: ignore[attr-defined]  # the model's
        object.__setattr__(self, "allowed", [w for w in self.allowed if known[w.key.text]])
        object.__setattr__(self, "_is_current", lambda _w: True)
        return super().join(stream)


class KeyAlone(Opening):
    """What the user may do is no part of what is current."""

    def _is_current(self, watched: Watched) -> bool:
        return self.hub.is_current(watched.key.text, watched.stamp)


class Ownerless(Key):
    """A key of one user that depends on nothing but itself."""

    @property
    def owner_id(self) -> int | None:
        return None


class Inattentive(Entry):
    """Hears no notice while it reads."""

    def want(self, want: Want) -> None:
        if not self.reading:
            super().want(want)


class InattentiveBrowser(Browser):
    """A browser that hears no notice while it reads."""

    entry = Inattentive


MISTAKES = {
    "stamp read after the data": Mistake(Parts(cache=StampAfterData), ("forbidden",)),
    "shared identity map": Mistake(
        Parts(read=lambda database, text, begun: database.version(text, begun)), ("forbidden",)
    ),
    "< for <=, in the hub": Mistake(Parts(hub=hub_with(StrictVersions)), ("cause", "rest")),
    "< for <=, in the script": Mistake(Parts(redis=StrictRecall), ("cause",)),
    "horizon ignored, in the hub": Mistake(
        Parts(hub=hub_with(NoHorizon)), ("lost", "forbidden", "access")
    ),
    "horizon ignored, in the script": Mistake(Parts(redis=HorizonlessRecall), ("forbidden",)),
    "horizon not raised by a trim": Mistake(
        Parts(redis=LowHorizon), ("lost", "forbidden", "access")
    ),
    "horizon not raised by a reset": Mistake(
        Parts(redis=EmptyReset), ("lost", "forbidden", "access")
    ),
    "floor ignored": Mistake(Parts(cache=NoFloor), ("floor", "own write")),
    "floor of a lost generation ignored": Mistake(
        Parts(cache=FloorOfAnotherGeneration),
        ("floor", "own write"),
        among=("act_before_a_failure", "act_without_redis", "load_a_page", "settle"),
    ),
    "bypass ignored": Mistake(Parts(cache=NoBypass), ("forbidden", "own write")),
    "equal-stamp overwrite": Mistake(
        Parts(redis=Overwriting),
        ("kept",),
        among=("part_while_being_told", "read_slowly", "go_on_with_all"),
    ),
    "generation ignored, in the hub": Mistake(
        Parts(hub=hub_with(NoGeneration)), ("lost", "forbidden", "access")
    ),
    "generation ignored, in the script": Mistake(
        Parts(redis=GenerationlessRecall),
        ("forbidden", "cause"),
        among=("act_before_a_failure", "load_a_page", "go_on_with_all", "settle"),
    ),
    "dropped notice: no comparison with Redis": Mistake(Parts(hub=Uncomparing), ("lost",)),
    "dropped notice: gaps ignored": Mistake(
        Parts(hub=hub_with(NoGap)),
        ("lost", "forbidden", "access"),
        among=(
            "act_and_lose_the_notice",
            "part_while_being_told",
            "turn_away_or_let_in",
            "hear_and_tell_everywhere",
            "settle",
        ),
    ),
    "id-cursor sweeper": Mistake(Parts(worker=Cursor), ("lost", "rest")),
    "second look left out": Mistake(
        Parts(worker=OneLook),
        ("lost",),
        among=(
            "rename_while_another_links",
            "act_to_the_end",
            "hear_and_tell_everywhere",
            "settle",
        ),
    ),
    "row deleted before it is published": Mistake(Parts(worker=DeletesFirst), ("lost",)),
    "prefixes ignored, in the hub": Mistake(Parts(hub=hub_with(NoPrefixes)), ("lost", "forbidden")),
    "prefixes ignored, in the script": Mistake(Parts(redis=PrefixlessRecall), ("forbidden",)),
    "memory of before an outage": Mistake(Parts(shelf=OutageForgotten), ("access",)),
    "access key not among the keys of one user's body": Mistake(
        Parts(key=lambda key: Ownerless(key.query, key.values)), ("forbidden", "lost")
    ),
    "access no part of a stream's verdict": Mistake(Parts(opening=KeyAlone), ("lost",)),
    "access lost, and not all told": Mistake(Parts(hub=ForgetfulHub), ("lost",)),
    "refusal remembered": Mistake(
        Parts(worker=RefusalRemembered),
        ("access",),
        among=("turn_away_or_let_in", "load_a_page", "check", "settle"),
    ),
    "how far was heard, asked after the guard": Mistake(
        Parts(worker=HeardAfter),
        ("access",),
        among=("ask_while_another_acts", "check"),
    ),
    "verdict before joining": Mistake(Parts(opening=VerdictFirst), ("lost",)),
    "beat before the notices it covers": Mistake(
        Parts(hub=BeatsFirst),
        ("lost",),
        among=("part_while_being_told", "beat", "act_to_the_end", "settle"),
    ),
    "notice during a read forgotten": Mistake(
        Parts(browser=InattentiveBrowser),
        ("lost",),
        among=(
            "ask_while_another_acts",
            "open_a_stream",
            "load_a_page",
            "go_on_with_all",
            "settle",
        ),
    ),
}
