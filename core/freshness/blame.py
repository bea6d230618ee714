"""Blame: which query, part or guard did not hear of a write."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core.bodies import Bodies
from core.freshness.observation import Reads
from core.freshness.questions import GrantQuestion, KeyQuestion, Question
from core.freshness.schema import Schema
from core.freshness.statements import Tables, overlap
from core.guards import Guard
from core.queries import Part, Query
from core.registry import Registry
from core.staleness import Staleness


@dataclass(frozen=True)
class Reader:
    """One function that was asked, with what makes it stale; ``part`` is its name in a sight."""

    part: str
    label: str
    read: Query[..., Any] | Part | Guard

    @property
    def staleness(self) -> Staleness:
        """What makes it stale."""
        return self.read.staleness

    @property
    def plugin(self) -> str:
        """Whose it is."""
        return self.read.plugin


def readers_of(registry: Registry, question: Question) -> list[Reader]:
    """Everything that was asked for *question*: the host first."""
    return list(_readers(registry, question))


def blame(
    readers: list[Reader],
    old: Bodies | None,
    new: Bodies | None,
    reads: Reads,
    changed: Tables,
    schema: Schema,
) -> Reader:
    """The one of *readers* that read something of what *changed*, and answers differently now.

    Without the bodies to compare, the first one that read any of it.
    """
    touched = [
        reader
        for reader in readers
        if overlap(schema.read(reads.get(reader.part, frozenset())), changed)
    ]
    if len(touched) > 1 and old is not None and new is not None:
        names = {reader.part for reader in readers} - {""}
        different = _different_parts(old, new, names)
        touched = [reader for reader in touched if reader.part in different] or touched
    return (touched or readers)[0]


def _readers(registry: Registry, question: Question) -> Iterator[Reader]:
    if isinstance(question, KeyQuestion):
        query = question.key.query
        yield Reader("", f"Query '{query.namespace}'", query)
        for part in registry.parts_of(query):
            yield Reader(part.name, f"Part '{part.name}' of '{query.namespace}'", part)
    elif isinstance(question, GrantQuestion):
        yield Reader("", f"Guard '{question.guard.name}'", question.guard)
        for extension in registry.extensions_of(question.guard):
            yield Reader(extension.name, f"Guard '{extension.name}'", extension)


def _different_parts(old: Bodies, new: Bodies, parts: set[str]) -> set[str]:
    """The names of the parts whose members differ; ``""`` when any other member does."""
    before, after = json.loads(old.json.content), json.loads(new.json.content)
    if not isinstance(before, dict) or not isinstance(after, dict):
        return {""}
    members = {name for name in before | after if before.get(name) != after.get(name)}
    return {name if name in parts else "" for name in members}
