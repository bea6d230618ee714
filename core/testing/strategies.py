"""What Hypothesis draws the arguments of an action from: what is known of each, or of its type."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from core.actions import Action
from core.parameters import Parameter, plain_type


@dataclass(frozen=True)
class Known:
    """Values of one parameter: all that were ever seen, and those that somebody is shown now."""

    ever: Sequence[Any] = ()
    now: Sequence[Any] = ()

    def strategy(self) -> Any:
        """One of them; mostly one that is there."""
        from hypothesis import strategies as st  # noqa: PLC0415

        ever = st.sampled_from(self.ever)
        return st.one_of(st.sampled_from(self.now), ever) if self.now else ever


def arguments_of(action: Action[..., Any], pool: Mapping[str, Known]) -> Any:
    """A strategy for the arguments of *action*."""
    from hypothesis import strategies as st  # noqa: PLC0415

    fixed: dict[str, Any] = {}
    optional: dict[str, Any] = {}
    for parameter in action.fields:
        (fixed if parameter.required else optional)[parameter.name] = _value(parameter, pool)
    return st.fixed_dictionaries(fixed, optional=optional)


def _value(parameter: Parameter, pool: Mapping[str, Known]) -> Any:
    """What *parameter* may be: something known by its name, or by its singular for a list."""
    from hypothesis import strategies as st  # noqa: PLC0415

    kind = plain_type(parameter.annotation)
    if known := pool.get(parameter.name):
        return known.strategy()
    each = pool.get(parameter.name.removesuffix("s"))
    if each and get_origin(kind) is list:
        return st.lists(each.strategy(), min_size=1, max_size=3, unique=True)
    return _of_type(parameter.annotation)


def _of_type(annotation: Any) -> Any:
    """Anything of that type; numbers that ids may be, texts that titles may be."""
    from hypothesis import strategies as st  # noqa: PLC0415

    kind = plain_type(annotation)
    inner = get_args(kind)
    if kind is int:
        return st.integers(1, 5)
    if kind is str:
        return st.sampled_from(["A", "Another text", "Ä"])
    if get_origin(kind) is list:
        return st.lists(_of_type(inner[0]), min_size=1, max_size=3, unique_by=repr)
    if get_origin(kind) in (Union, UnionType):
        return st.one_of(*(st.none() if each is type(None) else _of_type(each) for each in inner))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {name: _of_type(field.annotation) for name, field in kind.model_fields.items()}
        return st.builds(kind, **fields)
    return st.from_type(annotation)
