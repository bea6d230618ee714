"""``GET /openapi.json``: every query and action, as OpenAPI 3.1."""

from functools import cache
from typing import Any

from flask import Blueprint, Response, jsonify
from pydantic import TypeAdapter

from core.actions import Action, Upload
from core.cookies import cookie_name
from core.current import current_runtime
from core.guards import Guard
from core.queries import Query
from core.registry import Registry

blueprint = Blueprint("coursewire_openapi", __name__)

_REF = "#/components/schemas/{model}"
_PROBLEM = {
    "type": "object",
    "required": ["title", "status", "detail"],
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, and what to do."},
        "errors": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "A sentence per field.",
        },
    },
}
_STALE = {
    "type": "array",
    "description": "The keys that this made stale and that you may view.",
    "items": {"type": "array", "items": {}},
}
_UNDO = {
    "type": ["object", "null"],
    "description": "The action that takes this back, and the body to send it.",
    "required": ["action", "arguments"],
    "properties": {"action": {"type": "string"}, "arguments": {"type": "object"}},
}
_FLOOR = {
    "name": "Live-Floor",
    "in": "header",
    "description": "Never answer with data stamped below this.",
    "schema": {"type": "string", "pattern": "^[0-9a-f]{12}-[0-9]+$"},
}


@blueprint.get("/openapi.json")
def answer() -> Response:
    """The description of what the enabled plugins offer."""
    registry = current_runtime().registry
    names = [cookie_name(identity.cookie) for identity in registry.identities]
    return jsonify(describe(registry, names[0] if names else "session"))


@cache
def describe(registry: Registry, cookie: str) -> dict[str, Any]:
    """The OpenAPI document of *registry*, where *cookie* carries the session."""
    schemas: dict[str, Any] = {"Problem": _PROBLEM}
    paths: dict[str, Any] = {}
    for query in registry.queries:
        paths[_query_path(query)] = {"get": _query(query, registry, schemas)}
    for action in registry.actions:
        paths[f"/a/{action.plugin}/{action.path_name}"] = {"post": _action(action, schemas)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Coursewire", "version": "0.1.0"},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": cookie}},
        },
        "security": [{"session": []}, {}],
    }


def _query_path(query: Query[..., Any]) -> str:
    segments = "".join(f"/{{{parameter.name}}}" for parameter in query.required)
    return f"/q/{query.plugin}/{query.path_name}{segments}"


def _query(query: Query[..., Any], registry: Registry, schemas: dict[str, Any]) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": p.name, "in": "path", "required": True, "schema": p.schema} for p in query.required
    ]
    parameters += [
        {"name": p.name, "in": "query", "schema": p.schema | {"default": p.default}}
        for p in query.options
    ]
    schema = _schema(query.result_type, "serialization", schemas)
    parts = {
        part.name: _schema(part.result_type, "serialization", schemas)
        for part in registry.parts_of(query)
    }
    if parts:
        members = {"type": "object", "properties": parts, "required": list(parts)}
        schema = {"allOf": [schema, members]}
    return {
        "operationId": f"{query.plugin}_{query.name}",
        "summary": _summary(query.function, query.namespace),
        "tags": [query.plugin],
        "security": _security(query.guard),
        "parameters": [*parameters, _FLOOR],
        "responses": {
            "200": {
                "description": "The data, as of Live-Stamp.",
                "headers": {
                    name: {"schema": {"type": "string"}}
                    for name in ("ETag", "Live-Stamp", "Live-Key", "Live-Access")
                },
                "content": {
                    "application/json": {"schema": schema},
                    "text/html": {"schema": {"type": "string"}},
                },
            },
            "304": {"description": "Nothing changed since If-None-Match."},
            "308": {"description": "Another spelling of the key; Location has the canonical one."},
            **_problems("400", "401", "404", "429", "503"),
        },
    }


def _action(action: Action[..., Any], schemas: dict[str, Any]) -> dict[str, Any]:
    body = _schema(TypeAdapter(action.body_type), "validation", schemas)
    if action.takes_upload:
        files = {
            p.name: {"type": "string", "contentMediaType": "application/octet-stream"}
            for p in action.parameters
            if p.annotation is Upload
        }
        form = schemas[action.body_type.__name__]
        form.setdefault("properties", {}).update(files)
        form["required"] = [*form.get("required", []), *files]
        content = {"multipart/form-data": {"schema": body}}
    else:
        content = {
            kind: {"schema": body}
            for kind in ("application/json", "application/x-www-form-urlencoded")
        }
    answer = {
        "type": "object",
        "required": ["result", "stale", "stamp", "message", "undo"],
        "properties": {
            "result": _schema(action.result_type, "serialization", schemas),
            "stale": _STALE,
            "stamp": {"type": ["string", "null"]},
            "message": {"type": ["string", "null"]},
            "undo": _UNDO,
        },
    }
    return {
        "operationId": f"{action.plugin}_{action.name}",
        "summary": _summary(action.function, action.label),
        "tags": [action.plugin],
        "security": _security(action.guard),
        "parameters": [
            {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}},
        ],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {
                "description": "Committed.",
                "content": {"application/json": {"schema": answer}},
            },
            "303": {"description": "A form without JavaScript goes back to its page."},
            **_problems(
                "400", "401", "403", "404", "408", "409", "413", "415", "422", "429", "503"
            ),
        },
    }


def _schema(kind: TypeAdapter[Any], mode: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    """The schema of *kind*; the models it names go into *schemas*."""
    schema = kind.json_schema(ref_template=_REF, mode=mode)
    schemas.update(schema.pop("$defs", {}))
    if "title" in schema and schema.get("type") == "object":
        schemas[schema["title"]] = schema
        return {"$ref": _REF.format(model=schema["title"])}
    return schema


def _security(guard: Guard) -> list[dict[str, Any]]:
    """A session is needed, unless the guard is asked for people who are not signed in."""
    return [{"session": []}, {}] if guard.asks_anonymous else [{"session": []}]


def _problems(*statuses: str) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}}
    return {status: {"description": _MEANING[status], "content": problem} for status in statuses}


def _summary(function: Any, fallback: str) -> str:
    lines = (function.__doc__ or fallback).strip().splitlines()
    return str(lines[0])


_MEANING = {
    "400": "The address, a header or the body cannot be read.",
    "401": "Nobody is signed in.",
    "403": "You may look at this and not change it.",
    "404": "Not there, or not for you to see.",
    "408": "The body took too long to arrive.",
    "409": "Changed meanwhile.",
    "413": "Too large.",
    "415": "Neither JSON nor a form.",
    "422": "A field is not as it must be.",
    "429": "Too many requests.",
    "503": "Something that is needed does not answer.",
}
