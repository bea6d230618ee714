"""A model of who may see what, and a real site that is held against it, one step after another.

The model knows people, roles, courses and sessions, and nothing of guards, keys that become stale,
caches or streams. After each step every answer and every open stream is compared with it.
"""

import json
from collections.abc import Callable, Iterable
from contextvars import Context
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from flask.testing import FlaskClient
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from werkzeug.test import TestResponse

from core.access import Access, Me
from core.bodies import Body
from core.database import now
from core.reads import make_bodies
from core.stamps import Stamp
from core.testing import Site

PEOPLE = ("ann", "bob", "cleo", "stuart")
STAFF = "stuart"
KEEPER = "keeper"
"""Of the staff too; does what an administrator does, and never loses anything."""

ROLES = ("viewer", "editor", "owner")
OF_A_COURSE = ("courses:detail", "courses:members", "chapters:list", "chapters:outline")
OWN = "courses:list"
NOBODYS = 2_000_000_000

people = st.sampled_from(PEOPLE)
slots = st.integers(0, 3)
courses = st.integers(0, 1)
namespaces = st.sampled_from((*OF_A_COURSE, OWN))
numbers = count(1)


@dataclass
class Browser:
    """A browser, and who is signed in with it as the model knows."""

    http: FlaskClient
    person: str | None = None


@dataclass
class Opened:
    """A stream that is open, and the keys that its ``hello`` did not deny."""

    answer: TestResponse
    frames: Any
    person: str
    browser: Browser
    keys: tuple[str, ...]


@dataclass
class Frame:
    """An event of a stream, with its stamp."""

    event: str
    data: Any
    stamp: Stamp | None = None


@dataclass
class Told:
    """What a stream said since it was listened to before, and whether it ended."""

    frames: list[Frame] = field(default_factory=list)
    ended: bool = False

    @property
    def keys(self) -> set[str]:
        """The keys that it named."""
        stale = [f.data["keys"] for f in self.frames if f.event == "stale"]
        return {":".join(map(str, key)) for keys in stale for key in keys}


class Rights(RuleBasedStateMachine):
    """People come and go, get and lose roles, read, write and watch."""

    site: Site
    ids: dict[str, int]
    keeper: FlaskClient

    @initialize(first=st.lists(st.sampled_from(ROLES), min_size=3, max_size=3))
    def begin(self, first: list[str]) -> None:
        """Everybody sits somewhere; three have a role in the first course."""
        self.browsers = [Browser(self.site.app.test_client()) for _ in range(4)]
        self.streams: list[Opened] = []
        self.disabled: set[str] = set()
        self.roles: dict[tuple[int, str], str] = {}
        self.tags: dict[tuple[str, str], str] = {}
        self.gone: set[int] = set()
        self.courses = [self._new_course() for _ in range(2)]
        for slot, person in enumerate(PEOPLE):
            self.sign_in(slot, person)
        for person, role in zip(PEOPLE, first, strict=False):
            self.give_a_role(0, person, role)

    @rule(slot=slots, person=people)
    def sign_in(self, slot: int, person: str) -> None:
        browser = self.browsers[slot]
        body = {"email": f"{person}@example.test", "password": "demo"}
        answer = browser.http.post("/a/accounts/sign-in", json=body)
        if person in self.disabled:
            assert answer.status_code == 422, "unwelcome: a disabled account signed in"
            return
        assert answer.status_code == 200, answer.text
        before, browser.person = browser.person, person
        self.compare(touched={before, person}, left=browser)

    @rule(slot=slots)
    def sign_out(self, slot: int) -> None:
        browser = self.browsers[slot]
        assert browser.http.post("/a/accounts/sign-out", json={}).status_code == 200
        person, browser.person = browser.person, None
        self.compare(touched={person})

    @rule(slot=slots)
    def end_the_others(self, slot: int) -> None:
        browser = self.browsers[slot]
        answer = browser.http.post("/a/accounts/end-others", json={})
        assert answer.status_code == (401 if browser.person is None else 200)
        for other in self.browsers:
            if other is not browser and other.person == browser.person:
                other.person = None
        self.compare(touched={browser.person})

    @rule(course=courses, person=people, role=st.sampled_from(ROLES))
    def give_a_role(self, course: int, person: str, role: str) -> None:
        number = self.courses[course]
        if number in self.gone or person in self.disabled:
            return
        body = {"course_id": number, "email": f"{person}@example.test", "role": role}
        self._keep("courses/set-member", **body)
        self.roles[number, person] = role
        self.compare(touched={person})

    @rule(course=courses, person=people)
    def take_the_role(self, course: int, person: str) -> None:
        number = self.courses[course]
        if (number, person) not in self.roles:
            return
        self._reads_of(person, number)  # what is remembered of this is worth nothing after it
        del self.roles[number, person]
        self._keep("courses/remove-member", course_id=number, user_id=self.ids[person])
        self.compare(touched={person})
        self._reads_of(person, number)

    @rule(course=courses)
    def remove_the_course(self, course: int) -> None:
        number = self.courses[course]
        if number in self.gone:
            return
        self._keep("courses/remove", course_id=number)
        members = {person for (of, person) in self.roles if of == number}
        self.roles = {key: role for key, role in self.roles.items() if key[0] != number}
        self.gone.add(number)
        self.compare(touched={*members, STAFF})
        self.courses[course] = self._new_course()

    @rule(person=people)
    def disable_or_enable(self, person: str) -> None:
        self._switch(person)
        if person in self.disabled:
            for browser in self.browsers:
                if browser.person == person:
                    browser.person = None
        self.compare(touched={person})

    @rule(slot=slots, course=courses)
    def write(self, slot: int, course: int) -> None:
        """Add a chapter, as whoever sits there; the answer names what became stale."""
        browser, number = self.browsers[slot], self.courses[course]
        body = {"course_id": number, "title": self._secret(number)}
        answer = browser.http.post("/a/chapters/add", json=body)
        access = self.access(browser.person, f"chapters:list:{number}")
        expected = {Access.EDIT: 200, Access.VIEW: 403}.get(access, 404)
        expected = 401 if browser.person is None else expected
        assert answer.status_code == expected, f"write: {browser.person}, {answer.status_code}"
        if access >= Access.EDIT:
            told = {":".join(map(str, key)) for key in answer.get_json()["stale"]}
            assert all(self.access(browser.person, key) for key in told), f"stale: {told}"
            self.compare(written=number)

    @rule(course=courses)
    def another_writes(self, course: int) -> None:
        number = self.courses[course]
        if number not in self.gone:
            self._keep("chapters/add", course_id=number, title=self._secret(number))
            self.compare(written=number)

    @rule(slot=slots, course=courses, namespace=namespaces, html=st.booleans(), tag=st.booleans())
    def read(self, slot: int, course: int, namespace: str, html: bool, tag: bool) -> None:
        """One key, as whoever sits there, with the tag that anybody got for it before."""
        browser = self.browsers[slot]
        key = self._key(namespace, self.courses[course], browser.person)
        self._read(browser, key, "text/html" if html else "application/json", tag=tag)

    @rule(course=courses, namespace=namespaces)
    def everybody_reads(self, course: int, namespace: str) -> None:
        for browser in self.browsers:
            key = self._key(namespace, self.courses[course], browser.person)
            for kind in ("text/html", "application/json"):
                self._read(browser, key, kind, tag=False)

    @rule(slot=slots, whose=people)
    def read_the_list_of_another(self, slot: int, whose: str) -> None:
        self._read(self.browsers[slot], f"{OWN}:{self.ids[whose]}", "application/json", tag=True)

    @precondition(lambda self: len(self.streams) < 6)
    @rule(slot=slots)
    def watch(self, slot: int) -> None:
        """Both courses, as whoever sits there: one sees both, one of them, or nothing."""
        browser = self.browsers[slot]
        asked = [f"{space}:{number}" for space in OF_A_COURSE for number in self.courses]
        answer = browser.http.get("/live", query_string=[("key", key) for key in asked])
        if browser.person is None:
            assert answer.status_code == 401, "watch: a stream was opened for nobody"
            return
        frames: Any = iter(answer.response)
        hello = _frames(next(frames))[0]
        denied = {":".join(map(str, key)) for key in hello.data["denied"]}
        allowed = tuple(key for key in asked if self.access(browser.person, key))
        self.streams.append(Opened(answer, frames, browser.person, browser, allowed))
        assert denied == set(asked) - set(allowed), f"watch: {browser.person} was let watch more"

    @precondition(lambda self: self.streams)
    @rule(number=slots)
    def leave(self, number: int) -> None:
        self._close(self.streams[number % len(self.streams)])

    def teardown(self) -> None:
        for stream in list(getattr(self, "streams", ())):
            self._close(stream)
        for person in list(getattr(self, "disabled", ())):
            self._switch(person)
        for number in getattr(self, "courses", ()):
            if number not in self.gone:
                self._keep("courses/remove", course_id=number)

    def access(self, person: str | None, key: str) -> Access:
        """What *person* may do with *key* now: the whole of the rules."""
        namespace, _, number = key.rpartition(":")
        if person is None or int(number) in self.gone | {NOBODYS}:
            return Access.NONE
        if namespace == OWN:
            return Access.EDIT if int(number) == self.ids[person] else Access.NONE
        role = "owner" if person == STAFF else self.roles.get((int(number), person))
        if namespace == "courses:members":
            granted = {"owner": Access.EDIT, "editor": Access.VIEW}
        else:
            granted = {"owner": Access.EDIT, "editor": Access.EDIT, "viewer": Access.VIEW}
        return granted.get(role or "", Access.NONE)

    def compare(
        self,
        *,
        touched: Iterable[str | None] = (),
        left: Browser | None = None,
        written: int | None = None,
    ) -> None:
        """Hold what every open stream says against the model.

        *touched* are those whose access may have changed; a stream of somebody else stays. *left*
        is a browser whose former session ended. Everybody who watches *written* is told of it.
        """
        self.site.settle()
        reached = self.site.runtime.bus.stamp()
        for stream in list(self.streams):
            told = _listen(stream, reached)
            person = stream.browser.person if stream.browser is not left else None
            lost = person != stream.person or not all(
                self.access(person, key) for key in stream.keys
            )
            who = f"{stream.person} watching {stream.keys}"
            assert told.keys <= set(stream.keys), f"crossed: {who} was told of {told.keys}"
            assert "secret" not in repr(told.frames), f"crossed: {who} was told a title"
            assert told.ended or not lost, f"open: {who} may not, and the stream goes on"
            assert not told.ended or stream.person in touched, f"cut: {who} lost nothing"
            seen = f"chapters:list:{written}"
            if seen in stream.keys and not lost:
                assert seen in told.keys, f"silent: {who} was not told of {seen}"
            if told.ended:
                self._close(stream)

    def _reads_of(self, person: str, number: int) -> None:
        for browser in self.browsers:
            if browser.person == person:
                self._read(browser, f"chapters:list:{number}", "application/json", tag=False)

    def _read(self, browser: Browser, key: str, kind: str, *, tag: bool) -> None:
        headers = {"Accept": kind}
        if tag and (key, kind) in self.tags:
            headers["If-None-Match"] = f'"{self.tags[key, kind]}"'
        answer = browser.http.get(self._path(key), headers=headers)
        access = self.access(browser.person, key)
        who = f"{browser.person} reading {key}"
        if access is Access.NONE:
            nowhere = f"{key.rpartition(':')[0]}:{NOBODYS}"
            absent = browser.http.get(self._path(nowhere), headers={"Accept": kind})
            assert answer.status_code == (401 if browser.person is None else 404), f"let in: {who}"
            assert answer.data == absent.data, f"oracle: {who}: {answer.text}"
            assert set(answer.headers.keys()) == set(absent.headers.keys()), f"oracle: {who}"
            return
        now_there = self._uncached(key, browser.person, access, kind)
        assert answer.status_code in (200, 304), f"kept out: {who}: {answer.text}"
        assert answer.headers["ETag"] == f'"{now_there.tag}"', f"bytes: {who}, {kind}"
        if answer.status_code == 200:
            assert answer.data == now_there.content, f"bytes: {who}, {kind}"
        others = [n for n in self.courses if not self.access(browser.person, f"courses:detail:{n}")]
        shown = [n for n in others if f"secret-of-{n}-" in answer.text]
        assert not shown, f"crossed: {who} was shown {shown}"
        self.tags[key, kind] = now_there.tag

    def _uncached(self, key: str, person: str | None, access: Access, kind: str) -> Body:
        """What the database says now to one who has this access: no guard, cache or session."""
        app = self.site.app
        parsed = self.site.runtime.registry.parse_key(key)
        name, staff = person or "", person == STAFF
        soon = now() + timedelta(days=1)
        me = Me(self.ids[name], name, f"{name}@example.test", staff, 0, soon, now())
        bodies = Context().run(make_bodies, app, parsed, me)
        return bodies.json if kind == "application/json" else bodies.fragments[access]

    def _new_course(self) -> int:
        number: int = self._keep("courses/add", title=f"secret {next(numbers)}")["id"]
        self._keep("chapters/add", course_id=number, title=self._secret(number))
        return number

    def _secret(self, number: int) -> str:
        return f"secret-of-{number}-{next(numbers)}"

    def _switch(self, person: str) -> None:
        """Disable the account, or enable it again, as an operator does."""
        word = "enable" if person in self.disabled else "disable"
        words = ["accounts", word, f"{person}@example.test"]
        done = self.site.app.test_cli_runner().invoke(args=words)
        assert done.exit_code == 0, done.output
        self.disabled ^= {person}

    def _keep(self, action: str, **arguments: Any) -> Any:
        answer = self.keeper.post(f"/a/{action}", json=arguments)
        assert answer.status_code == 200, answer.text
        return answer.get_json()["result"]

    def _key(self, namespace: str, number: int, person: str | None) -> str:
        own = self.ids[person] if person is not None else self.ids[PEOPLE[0]]
        return f"{namespace}:{own if namespace == OWN else number}"

    def _path(self, key: str) -> str:
        return f"/q/{self.site.runtime.registry.parse_key(key).path}"

    def _close(self, stream: Opened) -> None:
        self.streams.remove(stream)
        stream.answer.close()


def _listen(stream: Opened, reached: Stamp) -> Told:
    """What *stream* says until it is at *reached*, or ends; beats come every twentieth second."""
    told = Told()
    for encoded in stream.frames:
        for frame in _frames(encoded):
            told.frames.append(frame)
            if frame.event == "bye":
                told.ended = True
            if frame.event == "beat" and frame.stamp is not None and frame.stamp.reaches(reached):
                return told
    return told


def _frames(encoded: bytes) -> list[Frame]:
    found = []
    for block in filter(None, encoded.decode().split("\n\n")):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        stamp = Stamp.parse(lines["id"]) if "id" in lines else None
        found.append(Frame(lines.get("event", "message"), json.loads(lines["data"]), stamp))
    return found


Plant = Callable[[Site], None]
