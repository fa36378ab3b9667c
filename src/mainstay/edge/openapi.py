"""OpenAPI 3.1 from the endpoints and their msgspec types: one declaration for routing, validation and documentation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct
from starlette.requests import Request

from mainstay import __version__

# Whose token an operation takes.
CALLERS = {
    "channel": "With a channel's own token.",
    "operator": "With the operators' token.",
    "teller": "A system speaks with its own token; people speak for `mainstay` with the operators' token.",
    "either": "A channel's token finds what is the channel's own; the operators' token finds everything.",
}


class Endpoint(Struct, frozen=True):
    """One operation of the API. `callers` is one of CALLERS; `key`: it wants an Idempotency-Key."""

    method: str
    path: str
    callers: Literal["channel", "operator", "teller", "either"]
    summary: str
    run: Callable[[Request, str, Any], Awaitable[tuple[int, bytes]]]
    body: type[Any] | None = None
    answer: type[Any] | None = None
    status: int = 200
    key: bool = False
    query: type[Struct] | None = None  # what its query parameters say, all of them texts that may be left out


class ProblemAnswer(Struct, frozen=True):
    """An error, as application/problem+json (RFC 9457)."""

    type: str
    title: str
    status: int
    code: str
    detail: str


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The OpenAPI document."""
    types = [kind for one in endpoints for kind in (one.body, one.answer) if kind is not None] + [ProblemAnswer]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    by_type = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one, by_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Mainstay", "version": __version__, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(one: Endpoint, by_type: dict[type, Any]) -> dict[str, Any]:
    problem = {
        "description": "An error that says what, which and what next",
        "content": {"application/problem+json": {"schema": by_type[ProblemAnswer]}},
    }
    content = {"application/json": {"schema": by_type[one.answer]}} if one.answer else {"application/json": {}}
    operation: dict[str, Any] = {
        "summary": one.summary,
        "description": CALLERS[one.callers],
        "operationId": one.run.__name__,
        "responses": {str(one.status): {"description": "Done", "content": content}, "default": problem},
    }
    names = [part[1:-1] for part in one.path.split("/") if part.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    if one.key:
        parameters.append({"name": "Idempotency-Key", "in": "header", "required": True, "schema": {"type": "string", "maxLength": 200}})
    for field in msgspec.structs.fields(one.query) if one.query else ():
        schema = msgspec.json.schema(field.type)
        parameters.append({"name": field.encode_name, "in": "query", "required": False, "schema": schema})
    if parameters:
        operation["parameters"] = parameters
    if one.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": by_type[one.body]}}}
    return operation
