"""Events: typed, past-tense facts that an action emits inside its transaction."""

import re
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


class Event(BaseModel):
    """A fact, such as ``MediaLinked``; its fields are what handlers and other plugins may rely on.

    The wire name is the class name in kebab case (``media-linked``), or what the class says::

        class MediaLinked(Event, wire_name="video-linked"): ...
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    wire_name: ClassVar[str] = "event"

    def __init_subclass__(cls, wire_name: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.wire_name = wire_name or _WORD.sub("-", cls.__name__).lower()


def in_words(wire_name: str) -> str:
    """What people call an event, in English; catalogues have it in other languages."""
    return wire_name.replace("-", " ").capitalize()
