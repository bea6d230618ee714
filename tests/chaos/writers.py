"""People who write, over HTTP, as a careful client does.

A fresh Idempotency-Key for every intention, kept for every retry; an attempt that got no answer, or
a 5xx, is repeated after a while. What never got an answer is *unknown*, and nobody writes the same
registers again.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.chaos.history import TITLE, Write
from tests.chaos.people import POSTS, People, Person
from tests.chaos.wire import Answer, Gate, Unanswered, decode

_ATTEMPT_S = 6.0
_GIVE_UP_S = 45.0
_MOST_CHAPTERS = 5
_ROLES: dict[str | None, tuple[str | None, ...]] = {
    "viewer": ("editor", None),
    "editor": ("viewer", None),
    None: ("viewer", "editor"),
}


@dataclass
class Chapter:
    """A chapter that stands there, as far as its writers know."""

    id: int
    links: dict[int, int] = field(default_factory=dict)
    """The id of the link of each video in it."""


@dataclass(frozen=True)
class Intention:
    """What somebody wants to do next."""

    person: Person
    action: str
    body: Mapping[str, Any]
    effects: Mapping[str, str | None]
    owned: tuple[str, ...]
    """What nobody else may write meanwhile."""
    done: Callable[[Any, Write], None]
    """Told the result; it may add effects that only the result tells."""


class Writers:
    """All of them, and what they know of what stands there: only what they were told."""

    def __init__(self, people: People, gate: Gate, random: Random) -> None:
        self._people = people
        self._gate = gate
        self._random = random
        self._busy: set[str] = set()
        self._chapters: dict[int, dict[str, Chapter]] = {}
        self._values: dict[str, str | None] = {}
        self._added = 0
        self.writes: list[Write] = []
        self.attempts_unanswered = 0

    async def look(self) -> None:
        """Read what stands there at first."""
        for course, owner in enumerate(self._people.owners, 1):
            answer = await self._gate.ask(
                "GET", f"/q/chapters/list/{course}", _headers(owner), deadline_s=30
            )
            chapters = self._chapters.setdefault(course, {})
            for row in json.loads(answer.body):
                name = str(row["title"]).partition(".")[0]
                chapters[name] = Chapter(row["id"])
                self._values[name] = "v0"
            self._values[f"k{course}"] = "v0"
            self._values[f"h{course}"] = f"c{course}_{POSTS[-1]}"
            swinger = self._people.swingers[course - 1]
            self._values[f"r{course}_{swinger.user_id}"] = "viewer"
        for number in range(1, self._people.videos + 1):
            self._values[f"m{number}"] = "v0"

    async def write_until(self, ended: asyncio.Event, writers: int, pause_s: float) -> None:
        """Write, *writers* at a time, each after a pause of *pause_s* on average."""

        async def one() -> None:
            while not ended.is_set():
                intention = self._intend()
                if intention is not None:
                    await self._carry_out(intention)
                await asyncio.sleep(self._random.uniform(0.3, 1.7) * pause_s)

        async with asyncio.TaskGroup() as group:
            for _ in range(writers):
                group.create_task(one())

    async def _carry_out(self, intention: Intention) -> None:
        write = Write(
            len(self.writes) + 1,
            intention.action,
            secrets.token_hex(12),
            intention.person.user_id,
            time.monotonic(),
            dict(intention.effects),
        )
        self.writes.append(write)
        self._busy.update(intention.owned)
        answer = await self._ask_patiently(intention, write)
        if answer is None:
            return  # unknown: what it may have written stays busy for ever
        write.answered = time.monotonic()
        self._busy.difference_update(intention.owned)
        if answer.status != 200:
            write.outcome = "refused"
            return
        told = decode(answer.body)
        write.outcome, write.stamp = "done", str(told["stamp"] or "")
        intention.done(told["result"], write)
        self._values.update(write.effects)

    async def _ask_patiently(self, intention: Intention, write: Write) -> Answer | None:
        headers = {
            **_headers(intention.person),
            "Content-Type": "application/json",
            "Idempotency-Key": write.key,
        }
        body = json.dumps(intention.body).encode()
        until = write.begun + _GIVE_UP_S
        while time.monotonic() < until:
            write.tries += 1
            try:
                answer = await self._gate.ask(
                    "POST", f"/a/{intention.action}", headers, body, deadline_s=_ATTEMPT_S
                )
                if answer.status < 500:
                    return answer
            except Unanswered:
                self.attempts_unanswered += 1
            await asyncio.sleep(self._random.uniform(0.1, 0.5) * min(write.tries, 4))
        return None

    def _intend(self) -> Intention | None:
        """Something that nobody else is about to write; ``None`` when chance finds nothing."""
        course = self._random.randint(1, self._people.courses)
        kinds = (
            (self._rename, 5),
            (self._edit, 3),
            (self._move, 3),
            (self._add, 3),
            (self._remove, 2),
            (self._link, 4),
            (self._unlink, 3),
            (self._set_role, 2),
            (self._rename_video, 1),
        )
        choose = self._random.choices([k for k, _ in kinds], [w for _, w in kinds])[0]
        intention = choose(course, self._people.owners[course - 1])
        if intention is None or self._busy.intersection(intention.owned):
            return None
        return intention

    def _rename(self, course: int, person: Person) -> Intention | None:
        name, chapter = self._random.choice(list(self._chapters[course].items()))
        was, title = self._next(name)
        body = {"chapter_id": chapter.id, "title": title, "was": {"title": was}}
        return _intention(person, "chapters/rename", body, {name: title.rpartition(".")[2]}, name)

    def _edit(self, course: int, person: Person) -> Intention | None:
        name = f"k{course}"
        was, title = self._next(name)
        fields = {"title": title, "description": title, "status": "published"}
        body = {"course_id": course, **fields, "was": {**fields, "title": was, "description": was}}
        return _intention(person, "courses/edit", body, {name: title.rpartition(".")[2]}, name)

    def _move(self, course: int, person: Person) -> Intention | None:
        """The hand goes on to the next post, so that a place tells how often it moved."""
        posts = [f"c{course}_{post}" for post in POSTS]
        after = posts[(posts.index(str(self._values[f"h{course}"])) + 1) % len(posts)]
        chapters = self._chapters[course]
        body = {
            "chapter_id": chapters[f"c{course}_hand"].id,
            "after_chapter_id": chapters[after].id,
        }
        return _intention(person, "chapters/move", body, {f"h{course}": after}, f"h{course}")

    def _add(self, course: int, person: Person) -> Intention | None:
        chapters = self._chapters[course]
        if len(chapters) >= len(POSTS) + 1 + _MOST_CHAPTERS:
            return None
        self._added += 1
        name = f"c{course}_{self._added}"

        def done(result: Any, _write: Write) -> None:
            chapters[name] = Chapter(result["id"])

        body = {"course_id": course, "title": TITLE.format(register=name, value="v0")}
        return _intention(person, "chapters/add", body, {name: "v0"}, name, done=done)

    def _remove(self, course: int, person: Person) -> Intention | None:
        chapters = self._chapters[course]
        fixed = {f"c{course}_{name}" for name in (*POSTS, "hand")}
        name = self._one_of(chapters.keys() - fixed)
        if name is None:
            return None
        chapter = chapters[name]
        effects: dict[str, str | None] = {name: None}
        effects |= {f"l{course}_{link}": None for link in chapter.links.values()}

        def done(_result: Any, _write: Write) -> None:
            del chapters[name]

        body = {"chapter_id": chapter.id}
        owned = (name, f"links of {name}")
        return _intention(person, "chapters/remove", body, effects, *owned, done=done)

    def _link(self, course: int, person: Person) -> Intention | None:
        name, chapter = self._random.choice(list(self._chapters[course].items()))
        free = set(range(1, self._people.videos + 1)) - chapter.links.keys()
        if len(chapter.links) >= 3 or not free:
            return None
        video = self._random.choice(sorted(free))

        def done(result: Any, write: Write) -> None:
            link = result[0]["link_id"]
            chapter.links[video] = link
            write.effects = {f"l{course}_{link}": "there"}

        body = {"chapter_id": chapter.id, "media_ids": [video]}
        effects = {f"l{course}_?": "there"}
        owned = f"links of {name}"
        return _intention(person, "chapters/link-media", body, effects, owned, done=done)

    def _unlink(self, course: int, person: Person) -> Intention | None:
        linked = {name: c for name, c in self._chapters[course].items() if c.links}
        name = self._one_of(linked)
        if name is None:
            return None
        chapter = linked[name]
        video, link = self._random.choice(list(chapter.links.items()))

        def done(_result: Any, _write: Write) -> None:
            del chapter.links[video]

        effects = {f"l{course}_{link}": None}
        owned = f"links of {name}"
        return _intention(person, "chapters/unlink", {"link_id": link}, effects, owned, done=done)

    def _set_role(self, course: int, person: Person) -> Intention | None:
        swinger = self._people.swingers[course - 1]
        register = f"r{course}_{swinger.user_id}"
        role = self._random.choice(_ROLES[self._values[register]])
        body: dict[str, Any] = {"course_id": course, "email": swinger.email, "role": role}
        action = "courses/set-member"
        if role is None:
            body, action = (
                {"course_id": course, "user_id": swinger.user_id},
                "courses/remove-member",
            )
        return _intention(person, action, body, {register: role}, register)

    def _rename_video(self, _course: int, person: Person) -> Intention | None:
        number = self._random.randint(1, self._people.videos)
        name = f"m{number}"
        was, title = self._next(name)
        body = {"media_id": number, "title": title, "was": {"title": was}}
        return _intention(person, "media/rename", body, {name: title.rpartition(".")[2]}, name)

    def _next(self, register: str) -> tuple[str, str]:
        """The title that stands there, and the next one."""
        value = str(self._values[register])
        after = f"v{int(value[1:]) + 1}"
        return (
            TITLE.format(register=register, value=value),
            TITLE.format(register=register, value=after),
        )

    def _one_of(self, names: Iterable[str]) -> str | None:
        found = sorted(names)
        return self._random.choice(found) if found else None


def _intention(
    person: Person,
    action: str,
    body: Mapping[str, Any],
    effects: Mapping[str, str | None],
    *owned: str,
    done: Callable[[Any, Write], None] = lambda _result, _write: None,
) -> Intention:
    return Intention(person, action, body, effects, owned, done)


def _headers(person: Person) -> dict[str, str]:
    return {"Cookie": person.cookie, "Accept": "application/json", "Sec-Fetch-Site": "same-origin"}
