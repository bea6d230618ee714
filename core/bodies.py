"""Bodies: what a key shows, as JSON and as one fragment for each access, all of one result."""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Self

from core.access import Access
from core.freshness.observation import Reads

_QUICK = 1
"""The level of compression: bodies repeat themselves, so that more brings little."""


@dataclass(frozen=True)
class Body:
    """What is sent, and its ``ETag``: a hash of the content and of nothing else."""

    content: bytes

    @cached_property
    def tag(self) -> str:
        """The hash."""
        return blake2b(self.content, digest_size=12).hexdigest()


@dataclass(frozen=True)
class Bodies:
    """The bodies of one result.

    ``fragments`` has one for each access that shows anything; it is empty when the query has no
    template. None of them depends on who asks. ``reads`` has the tables that each part of the query
    read, where that is observed.
    """

    json: Body
    fragments: Mapping[Access, Body]
    reads: Reads = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The bytes of all of them."""
        return len(self.json.content) + sum(len(b.content) for b in self.fragments.values())

    def pack(self) -> str:
        """What a cache outside this process holds, in ASCII."""
        texts = {str(int(access)): b.content.decode() for access, b in self.fragments.items()}
        texts["json"] = self.json.content.decode()
        texts["reads"] = json.dumps({part: sorted(tables) for part, tables in self.reads.items()})
        whole = json.dumps(texts, ensure_ascii=False).encode()
        return b64encode(zlib.compress(whole, _QUICK)).decode()

    @classmethod
    def unpack(cls, packed: str) -> Self:
        """The bodies again; raises `ValueError` for a text that `pack` did not make."""
        try:
            texts = json.loads(zlib.decompress(b64decode(packed, validate=True)))
            reads = json.loads(texts.pop("reads"))
            bodies = {name: Body(text.encode()) for name, text in texts.items()}
            whole = bodies.pop("json")
            fragments = {Access(int(name)): body for name, body in bodies.items()}
            return cls(whole, fragments, {part: frozenset(reads[part]) for part in reads})
        except (zlib.error, KeyError, AttributeError) as error:
            raise ValueError(f"These are no packed bodies: {error}") from None
