"""Parameters of queries, guards and actions, as their signatures declare them."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from core.access import Me
from core.languages import gettext as _
from core.languages import later

_STRICT = ConfigDict(strict=True)
_DatabaseInt = Annotated[int, Field(ge=-(2**31), lt=2**31)]


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, its type, and its default when it is an option."""

    name: str
    annotation: Any
    default: Any = inspect.Parameter.empty

    @property
    def required(self) -> bool:
        """Whether it has no default, and so stands in the key as a segment."""
        return self.default is inspect.Parameter.empty

    @property
    def is_me(self) -> bool:
        """Whether it is the user who asks; in a key stands the user's id."""
        return self.annotation is Me or self.annotation == (Me | None)

    @property
    def asks_anonymous(self) -> bool:
        """Whether it is ``Me | None``: asked also when nobody is signed in."""
        return self.is_me and self.annotation is not Me

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        annotation = _DatabaseInt if self.annotation is int or self.is_me else self.annotation
        return TypeAdapter(annotation, config=_config_for(annotation))

    def from_text(self, text: str) -> Any:
        """The value that *text* spells; raises `ValueError` for another spelling of it."""
        value = self._adapter.validate_strings(text)
        if str(value) != text and not isinstance(value, bool):
            raise ValueError(f"write “{value}”")
        return value

    def checked(self, value: object) -> Any:
        """*value* itself, when it has the declared type; raises `ValueError` otherwise."""
        return self._adapter.validate_python(value)

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON schema."""
        return self._adapter.json_schema()


def parameters_of(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """The parameters of *function*, in order.

    Raises `TypeError` for one without an annotation, and for ``*args`` and ``**kwargs``.
    """
    hints = get_type_hints(function, include_extras=True)
    found = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{function.__name__}() takes *{name}; name its parameters instead")
        if name not in hints:
            raise TypeError(f"parameter '{name}' of {function.__name__}() has no type")
        found.append(Parameter(name, hints[name], parameter.default))
    return tuple(found)


def return_type_of(function: Callable[..., Any]) -> Any:
    """What *function* says it returns, of which its JSON and its schema are made.

    Raises `TypeError` when it does not say.
    """
    hints = get_type_hints(function, include_extras=True)
    if "return" not in hints:
        raise TypeError(f"{function.__name__}() does not say what it returns; add -> and the type")
    return hints["return"]


def plain_type(annotation: Any) -> Any:
    """*annotation* without its ``Annotated`` wrapping, to compare types by."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def explain(error: ValidationError) -> dict[str, str]:
    """What pydantic found, as one plain sentence per field (dotted path)."""
    found: dict[str, str] = {}
    for item in error.errors(include_url=False, include_input=False):
        path = ".".join(str(step) for step in item["loc"]) or "body"
        ours = _SENTENCES.get(item["type"])
        # Only ours have places to fill; a pattern in pydantic's may have braces of its own.
        told = _(ours).format_map(item.get("ctx", {})) if ours else item["msg"] + "."
        found.setdefault(path, told)
    return found


_SENTENCES = {
    "missing": later("This is needed."),
    "extra_forbidden": later("This field is not known; remove it."),
    "string_too_short": later("This must not be empty."),
    "string_too_long": later("This is too long; {max_length} characters are the most."),
    "string_pattern_mismatch": later("This is not written as it has to be."),
    "too_short": later("Choose at least {min_length}."),
    "too_long": later("These are too many; {max_length} are the most at once."),
    "int_type": later("This must be a whole number."),
    "int_parsing": later("This must be a whole number."),
    "int_from_float": later("This must be a whole number."),
    "string_type": later("This must be text."),
    "list_type": later("This must be a list."),
    "bool_type": later("This must be true or false."),
    "literal_error": later("This must be one of: {expected}."),
    "less_than": later("This must be less than {lt}."),
    "greater_than_equal": later("This must be {ge} or more."),
}


def _config_for(annotation: Any) -> ConfigDict | None:
    """Strictness, except where pydantic forbids a config (models carry their own)."""
    plain = plain_type(annotation)
    if get_origin(plain) in (Union, UnionType) or not hasattr(plain, "model_config"):
        return _STRICT
    return None
