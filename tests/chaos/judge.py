"""Decides, out of logs alone, whether anything was lost or shown backwards. Pure.

For each browser, key and register there is a cursor into the register's values, which begins at the
first. Each body that is shown must have a value at the cursor or after it, whose write had begun by
then; the cursor goes to the first such. If there is none, the browser showed something older after
something newer, or something that nobody ever wrote. The cursor is never ahead of the truth, so a
browser that went forwards is never accused; one that went backwards is missed only where a value
that had been there before (a link, a role, a place in the order) was about to come back.

*Lost* is what is not shown in the end: of every browser, key by key, and of the database itself.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.history import GONE, Happening, Write
from tests.chaos.sights import Sight, concerns, shows

_FRESH_S = (2.0, 10.0)
_NOT_EVENTS = {"hello", "resume", "reset", "refresh", "parked", "access", "shown", "check", ""}
_STORY = 8


@dataclass(frozen=True)
class Step:
    """One value of a register, and the write that gave it (``None``: it was there before)."""

    value: str | None
    begun: float
    write: Write | None = None


@dataclass(frozen=True)
class Watcher:
    """One browser: what it looked at, in which form, and all that happened to it.

    *steady*: what it may see did not change during the run.
    """

    name: str
    keys: Mapping[str, str]
    happenings: Sequence[Happening]
    steady: bool = True


@dataclass
class Verdict:
    """What was found; ``stories`` tells of every violation what leads a person to its cause."""

    lost: int = 0
    went_back: int = 0
    torn: int = 0
    doubled: int = 0
    extra_refetches: int = 0
    extra: Counter[str] = field(default_factory=Counter)
    """Of the extra refetches: by which action, of which namespace and form."""
    early_refetches: int = 0
    fresh_s: list[float] = field(default_factory=list)
    """Of every pair of a write and a browser that shows it: seconds from answer to screen."""
    never_fresh: int = 0
    settled_at: float = 0.0
    """When the last browser came to show what it showed in the end."""
    stories: list[str] = field(default_factory=list)

    @property
    def freshness(self) -> dict[str, float]:
        """The share of pairs that were shown within so many seconds."""
        pairs = len(self.fresh_s) + self.never_fresh
        return {
            f"{limit_s:g}s": round(sum(s <= limit_s for s in self.fresh_s) / max(1, pairs), 4)
            for limit_s in _FRESH_S
        }

    def percentile_ms(self, share: float) -> int | None:
        """The time to fresh that *share* of the pairs did not exceed."""
        if not self.fresh_s:
            return None
        ordered = sorted(self.fresh_s)
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000)


class Judge:
    """Judges one run: its writes, what stood there before, and what bodies show."""

    def __init__(
        self,
        writes: Sequence[Write],
        before: Mapping[str, str | None],
        sights: Mapping[tuple[str, str, str], Sight],
    ) -> None:
        """*sights* by key, form and digest."""
        self._writes = [write for write in writes if write.outcome != "refused"]
        self._sights = sights
        self._steps: dict[str, list[Step]] = {
            name: [Step(value, float("-inf"))] for name, value in before.items()
        }
        for write in self._writes:
            for register, value in write.effects.items():
                steps = self._steps.setdefault(register, [Step(None, float("-inf"))])
                steps.append(Step(value, write.begun, write))
        self._by_trace = {write.trace: write for write in self._writes if write.trace}
        self.verdict = Verdict()

    def watch(self, watcher: Watcher, truth: Mapping[str, str]) -> None:
        """Judge one browser. *truth*: the digest of what each key must show in the end."""
        for key, form in watcher.keys.items():
            mine = [h for h in watcher.happenings if h.key == key]
            self._follow(watcher, key, form, mine)
            self._end(watcher, key, mine, truth[key])
            self._count_refetches(key, form, mine)

    def truth(self, sights: Iterable[Sight]) -> None:
        """Judge the database: what was acknowledged stands in it, and nothing twice."""
        values: dict[str, str] = {}
        whole: set[str] = set()
        for sight in sights:
            values.update(sight.values)
            whole.update(sight.whole)
            for register in sight.doubled:
                self.verdict.doubled += 1
                self._tell(f"DOUBLED: {register} stands there twice", self._about(register))
        for register, steps in self._steps.items():
            done = max(
                (n for n, s in enumerate(steps) if s.write is None or s.write.outcome == "done"),
            )
            known = register in values or register.startswith(tuple(whole))
            allowed = {step.value for step in steps[done:]}
            if known and values.get(register) not in allowed:
                self.verdict.lost += 1
                self._tell(
                    f"LOST by the database: {register} is {values.get(register)}, and should be "
                    f"{' or '.join(map(str, allowed))}",
                    self._about(register),
                )

    def _follow(self, watcher: Watcher, key: str, form: str, mine: list[Happening]) -> None:
        """Move the cursors along, and note when each write was shown."""
        cursors: dict[str, int] = defaultdict(int)
        first_shown: dict[str, list[tuple[float, int]]] = defaultdict(list)
        for happening in mine:
            if happening.kind == "same":
                # What was put there and taken away again between two reads is shown by this one.
                for register, sightings in first_shown.items():
                    value = self._steps[register][cursors[register]].value
                    reached = _latest(self._steps[register], value, happening.at)
                    sightings.append((happening.at, reached))
            if happening.kind != "shown":
                continue
            sight = self._sights[key, form, happening.more]
            for register in sight.torn:
                self.verdict.torn += 1
                self._accuse("TORN", watcher, key, happening, register, mine)
            for register in {*sight.values, *_absent(cursors, self._steps, sight)}:
                value = sight.values.get(register)
                if register not in self._steps and f"{register.partition('_')[0]}_?" in self._steps:
                    continue  # a link that nobody was told the id of
                steps = self._steps.get(register, [Step(None, float("-inf"))])
                cursor = _find(steps, value, cursors[register], happening.at)
                if cursor is None:
                    self.verdict.went_back += 1
                    self._accuse("WENT BACK", watcher, key, happening, register, mine)
                    continue
                cursors[register] = cursor
                first_shown[register].append((happening.at, _latest(steps, value, happening.at)))
        if watcher.steady:
            self._time(key, form, first_shown)

    def _time(self, key: str, form: str, shown: Mapping[str, Sequence[tuple[float, int]]]) -> None:
        for register, steps in self._steps.items():
            if register not in shown or not shows(register, key, form):
                continue
            sightings = shown[register]
            for number, step in enumerate(steps):
                if step.write is None or step.write.outcome != "done":
                    continue
                at = next((at for at, reached in sightings if reached >= number), None)
                if at is None:
                    self.verdict.never_fresh += 1
                else:
                    self.verdict.fresh_s.append(max(0.0, at - step.write.answered))

    def _end(self, watcher: Watcher, key: str, mine: list[Happening], truth: str) -> None:
        last = next((h for h in reversed(mine) if h.kind in ("shown", "gone")), None)
        shown = "nothing" if last is None else GONE if last.kind == "gone" else last.more
        if last is not None:
            self.verdict.settled_at = max(self.verdict.settled_at, last.at)
        if shown == truth:
            return
        self.verdict.lost += 1
        events = [h for h in watcher.happenings if h.key in ("", key)]
        self._tell(
            f"LOST: browser {watcher.name} shows {key} as {shown}, and should as {truth}",
            [str(h) for h in events[-2 * _STORY :]],
        )

    def _count_refetches(self, key: str, form: str, mine: list[Happening]) -> None:
        """Refetches that a notice called for and that changed nothing.

        Each may be explained by one write that concerns the key: its answer came with an earlier
        read (between commit and publication lies a moment), or this form does not show what it
        changed. Frames that were merged name only the last of their writes, so it may be any that
        explained none yet. Notices that were published twice explain themselves.
        """
        heard: set[str] = set()
        concerning = [w for w in self._writes if any(concerns(r, key) for r in w.effects)]
        for happening in mine:
            is_repeated = happening.trace in heard
            heard.add(happening.trace)
            if happening.kind != "same" or happening.cause in _NOT_EVENTS or is_repeated:
                continue
            named = self._by_trace.get(happening.trace)
            begun = [write for write in concerning if write.begun <= happening.at]
            if begun:
                concerning.remove(named if named in begun else begun[-1])
                self.verdict.early_refetches += 1
            else:
                self.verdict.extra_refetches += 1
                what = named.action if named is not None else happening.cause
                self.verdict.extra[f"{what} {_namespace(key)} {form}"] += 1

    def _accuse(
        self,
        what: str,
        watcher: Watcher,
        key: str,
        happening: Happening,
        register: str,
        mine: list[Happening],
    ) -> None:
        index = mine.index(happening)
        value = self._sights[key, watcher.keys[key], happening.more].values.get(register)
        self._tell(
            f"{what}: browser {watcher.name}, {key}, {register} = {value} at {happening.at:.3f}",
            [
                *self._about(register),
                *(str(h) for h in mine[max(0, index - _STORY) : index + 2]),
                "its stream:",
                *(str(h) for h in _around(watcher.happenings, happening.at)),
            ],
        )

    def _about(self, register: str) -> list[str]:
        return [
            f"{step.value}: {step.write or 'from the beginning'}"
            for step in self._steps.get(register, [])[-_STORY:]
        ]

    def _tell(self, head: str, lines: Iterable[str]) -> None:
        self.verdict.stories.append("\n    ".join([head, *lines]))


def _absent(
    cursors: Mapping[str, int], steps: Mapping[str, Sequence[Step]], sight: Sight
) -> list[str]:
    """Registers that this browser has seen there and that *sight* says are not."""
    return [
        register
        for register in cursors
        if register in steps
        and register not in sight.values
        and register.startswith(sight.whole or ("\0",))
    ]


def _namespace(key: str) -> str:
    return ".".join(key.split(":")[:2])


def _find(steps: Sequence[Step], value: str | None, cursor: int, at: float) -> int | None:
    for number in range(cursor, len(steps)):
        if steps[number].value == value and steps[number].begun <= at:
            return number
    return None


def _latest(steps: Sequence[Step], value: str | None, at: float) -> int:
    """The last place where this value can be meant."""
    found = (n for n, step in enumerate(steps) if step.value == value and step.begun <= at)
    return max(found, default=-1)


def _around(happenings: Sequence[Happening], at: float) -> list[Happening]:
    frames = [h for h in happenings if h.key == "" and h.cause != "beat"]
    index = bisect_left([h.at for h in frames], at)
    return list(frames[max(0, index - _STORY) : index + 1])
