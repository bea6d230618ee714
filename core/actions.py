"""Actions: a write is one typed function, one transaction, one endpoint."""

from collections.abc import Callable, Mapping
from functools import cached_property
from types import UnionType
from typing import Any, Generic, ParamSpec, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model
from werkzeug.datastructures import FileStorage, MultiDict

from core.access import Access, Me
from core.errors import Invalid
from core.guards import Guard
from core.languages import gettext as _
from core.parameters import Parameter, explain, parameters_of, plain_type, return_type_of

P = ParamSpec("P")
R = TypeVar("R")

Upload = FileStorage
"""A file of a multipart form; an action that takes one takes no JSON."""

PREPARED = "prepared"
"""The parameter that receives what an action's ``prepare`` returned."""

RESERVED_FIELDS = frozenset({"_next"})
"""Form fields that core itself reads."""


class Action(Generic[P, R]):
    """One write: ``POST /a/<plugin>/<name>``.

    Calling it runs the function alone, in the transaction at hand; `core.writes` answers requests.
    """

    def __init__(
        self,
        plugin: str,
        function: Callable[P, R],
        guard: Guard,
        needs: Access,
        prepare: Callable[..., Any] | None = None,
    ) -> None:
        self.plugin = plugin
        self.name = function.__name__
        self.path_name = self.name.replace("_", "-")
        self.label = f"{plugin}.{self.name}"
        self.function = function
        self.guard = guard
        self.needs = needs
        self.prepare = prepare
        self.parameters = parameters_of(function)
        self.returns = return_type_of(function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function in the transaction at hand; no guard."""
        return self.function(*args, **kwargs)

    @property
    def takes_upload(self) -> bool:
        """Whether a parameter is a file."""
        return any(parameter.annotation is Upload for parameter in self.parameters)

    @cached_property
    def fields(self) -> tuple[Parameter, ...]:
        """The parameters that come from the body."""
        return tuple(
            p
            for p in self.parameters
            if not p.is_me
            and p.annotation is not Upload
            and not (self.prepare is not None and p.name == PREPARED)
        )

    @cached_property
    def body_type(self) -> type[BaseModel]:
        """The model of the body; unknown fields are refused."""
        fields: dict[str, Any] = {
            p.name: (p.annotation, ... if p.required else p.default) for p in self.fields
        }
        name = "".join(word.title() for word in self.label.replace(".", "_").split("_"))
        config = ConfigDict(extra="forbid", str_strip_whitespace=True)
        return create_model(name, __config__=config, **fields)

    @cached_property
    def result_type(self) -> TypeAdapter[R]:
        """The type of the result, which makes its JSON and its schema."""
        return TypeAdapter(self.returns)

    def arguments_from_json(self, body: object) -> dict[str, Any]:
        """The arguments in a JSON *body*, strictly typed; raises `Invalid`."""
        return self._checked(body, strict=True)

    def arguments_from_form(
        self, form: MultiDict[str, str], files: Mapping[str, FileStorage]
    ) -> dict[str, Any]:
        """The arguments in a form: texts are converted, ``was.title`` is nested, an empty field of
        an optional parameter is ``None``, a repeated field makes a list. Raises `Invalid`.
        """
        lists = {p.name for p in self.fields if _is_list(p.annotation)}
        body: dict[str, Any] = {name: [] for name in lists}  # a form sends nothing for no choice
        optional = {p.name for p in self.fields if _is_optional(p.annotation)}
        for name in form:
            if name in RESERVED_FIELDS:
                continue
            *path, last = name.split(".")
            place = body
            for step in path[:4]:
                child = place.setdefault(step, {})
                if not isinstance(child, dict):
                    raise Invalid(
                        _("A field was sent in two forms."), errors={name: _("Send it once.")}
                    )
                place = child
            place[last] = form.getlist(name) if name in lists else form[name]
            if name in optional and place[last] == "":
                place[last] = None
        arguments = self._checked(body, strict=False)
        for parameter in self.parameters:
            if parameter.annotation is Upload:
                upload = files.get(parameter.name)
                if upload is None or not upload.filename:
                    raise Invalid(
                        _("No file was sent."), errors={parameter.name: _("Choose a file.")}
                    )
                arguments[parameter.name] = upload
        return arguments

    def with_me(self, arguments: dict[str, Any], me: Me | None) -> dict[str, Any]:
        """*arguments*, and the user where the function takes one."""
        return arguments | {p.name: me for p in self.parameters if p.is_me}

    def prepared(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """*arguments*, and what ``prepare`` made of those that it names; no transaction is open."""
        if self.prepare is None:
            return dict(arguments)
        taken = {p.name: arguments[p.name] for p in parameters_of(self.prepare)}
        return {**arguments, PREPARED: self.prepare(**taken)}

    def _checked(self, body: object, *, strict: bool) -> dict[str, Any]:
        try:
            model = self.body_type.model_validate(body, strict=strict)
        except ValidationError as error:
            errors = explain(error)
            raise Invalid(_check(errors), errors=errors) from None
        return {p.name: getattr(model, p.name) for p in self.fields}


def _check(errors: Mapping[str, str]) -> str:
    fields = ", ".join(sorted(errors))
    if len(errors) == 1:
        (what,) = errors.values()
        return _("Check: %(fields)s. %(what)s Nothing was saved.", fields=fields, what=what)
    return _("Check: %(fields)s. Nothing was saved.", fields=fields)


def _is_list(annotation: Any) -> bool:
    return get_origin(plain_type(annotation)) is list


def _is_optional(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, UnionType) and type(None) in get_args(annotation)
