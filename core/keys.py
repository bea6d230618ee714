"""Keys: the one address of data, its cache entry, and its subscription.

A key has three forms, and one canonical spelling of each::

    tuple   ("media", "list", {"page": 2})
    JSON    ["media","list",{"page":2}]                  what a TanStack Query client holds
    text    media:list:%7B%22page%22%3A2%7D              what Redis, the bus and ``/live`` hold

Text is all that the bus and the hub ever compare, so this module knows nothing of namespaces; a
query turns text into typed parameters (``queries.py``).
"""

import json
from collections.abc import Iterator, Mapping
from typing import TypeAlias
from urllib.parse import quote, unquote

from core.errors import InvalidKey

Scalar: TypeAlias = int | str | bool
Options: TypeAlias = Mapping[str, Scalar]
KeyParts: TypeAlias = tuple[Scalar | Options, ...]

ACCESS = "access"
"""The namespace of access keys, ``access:<user id>``: what a user may see. Core's own."""

MAX_KEY_BYTES = 1024
"""The longest text form, in bytes; a longer key is a 400, never a truncation."""


def encode_segment(value: Scalar | Options) -> str:
    """One segment of the text form: everything but ``A-Z a-z 0-9 _ . ~ -`` percent-encoded."""
    if isinstance(value, Mapping):
        value = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return quote(str(value), safe="")


def key_text(parts: KeyParts) -> str:
    """The text form of *parts*."""
    return ":".join(encode_segment(part) for part in parts)


def access_key(user_id: int) -> str:
    """The text form of the key that every stream of this user watches."""
    return key_text((ACCESS, user_id))


def split_key(text: str) -> tuple[str, ...]:
    """The decoded segments of a text form.

    Raises `InvalidKey` when *text* is too long, has an empty segment, or is another spelling of a
    key than the canonical one (two spellings would be two subscriptions to the same data).
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_KEY_BYTES:
        raise InvalidKey(text, f"it is longer than {MAX_KEY_BYTES} bytes.")
    raw = text.split(":")
    if not all(raw):
        raise InvalidKey(text, "a segment is empty.")
    try:
        segments = tuple(unquote(segment, errors="strict") for segment in raw)
        canonical = ":".join(encode_segment(segment) for segment in segments)
    except UnicodeError:
        raise InvalidKey(text, "it is not percent-encoded UTF-8.") from None
    if canonical != text:
        raise InvalidKey(text, f"write it as “{canonical}”.")
    return segments


def prefixes(text: str) -> Iterator[str]:
    """*text* and every key that prefixes it, longest first: naming any of them names *text*."""
    while text:
        yield text
        text, _, _ = text.rpartition(":")
