"""What became stale, and why the rest did not: notices as the hub hears them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.errors import InvalidKey
from core.explain.reasons import reason
from core.explain.traces import Told
from core.keys import prefixes

if TYPE_CHECKING:
    from core.runtime import Runtime
    from core.testing.site import Client


class Live:
    """Records what is named; every notice went through the outbox, Redis and the hub."""

    def __init__(self, runtime: "Runtime", settle: Callable[[], None]) -> None:
        self._runtime = runtime
        self._settle = settle

    def watch(self, client: "Client", *keys: str) -> None:
        """Show *keys* to *client*, as a page would: from now on the freshness guard knows them."""
        for key in keys:
            client.read(key)

    @contextmanager
    def expect_stale(self, *keys: str) -> Iterator[None]:
        """Fail unless what happens inside makes each of *keys* stale::

            with site.live.expect_stale("notes:list:1", "courses:detail:1"):
                editor.act("notes/add", course_id=1, text="Check the sound.")

        The failure says why one was not named.
        """
        self._check(keys)
        before = self.mark()
        yield
        told = self.told_since(before)
        missed = [key for key in keys if not _naming(told, key)]
        if missed:
            raise AssertionError("\n".join(self._why_not(key, told) for key in missed))

    @contextmanager
    def expect_nothing(self, *keys: str) -> Iterator[None]:
        """Fail if what happens inside makes any of *keys* stale, or without keys anything."""
        self._check(keys)
        before = self.mark()
        yield
        told = self.told_since(before)
        if not keys:
            named = [each.notice.cause for each in told if each.notice.keys or each.notice.reset]
            if named:
                raise AssertionError(f"Something became stale, by {', '.join(named)}.")
        for key in keys:
            naming = _naming(told, key)
            if naming:
                text = reason(self._runtime.registry, naming[0].notice.trace, naming, key)
                raise AssertionError(f"'{key}' became stale.\n  {text}")

    def mark(self) -> int:
        """Where the notices are now, once all that was written is published."""
        self._settle()
        stamp = self._runtime.hub.stamp
        return stamp.sequence if stamp is not None else 0

    def told_since(self, mark: int) -> list[Told]:
        """Every notice since *mark*, oldest first, those of reactions too."""
        self._settle()
        return self._runtime.hub.traces.since(mark)[::-1]

    def _why_not(self, key: str, told: list[Told]) -> str:
        if not told:
            return (
                f"'{key}' did not become stale: nothing was published. Does the action emit() "
                "what happened?"
            )
        reasons = [reason(self._runtime.registry, each.notice.trace, [each], key) for each in told]
        lines = "".join(f"\n  {text}" for text in reasons)
        return f"'{key}' did not become stale.{lines}"

    def _check(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            try:
                self._runtime.registry.parse_key(key)
            except InvalidKey as error:
                raise AssertionError(str(error)) from None


def _naming(told: list[Told], key: str) -> list[Told]:
    names = set(prefixes(key))
    return [each for each in told if each.notice.reset or names & set(each.notice.keys)]
