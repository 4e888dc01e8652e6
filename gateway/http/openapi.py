"""The OpenAPI 3.1 document, generated from the route table and the structs that validate requests.

Specification: https://spec.openapis.org/oas/v3.1.1
"""

import re
from http import HTTPStatus
from typing import Any

import msgspec

from gateway.http.routes import ROUTES, Route
from gateway.problems import CONTENT_TYPE, ProblemDetails
from gateway.schemas import IDEMPOTENCY_KEY_PATTERN
from shared.job_id import JOB_ID_PATTERN
from shared.version import SERVICE, VERSION

Json = dict[str, Any]

_HEADER_TEXTS = {
    "Idempotency-Key": "A repeated request with the same key returns the first job.",
    "Range": "With proxy=1: the requested bytes.",
    "If-Range": "With proxy=1: the ETag that Range applies to; if the file has another one, the whole file is sent.",
    "If-None-Match": "With proxy=1 or bundle.zip: cached ETags; if one is the file's, the response is 304.",
    "If-Match": "With proxy=1 or bundle.zip: accepted ETags; if none is the file's, the response is 412.",
}
_HEADER_SCHEMAS = {
    "Idempotency-Key": {"type": "string", "pattern": IDEMPOTENCY_KEY_PATTERN},
    **{name: {"type": "string"} for name in ("Range", "If-Range", "If-None-Match", "If-Match")},
}
# Rules across the fields of a body, which msgspec cannot express. They are enforced by gateway/jobs/recipes.py and
# gateway/prompts/builder.py.
_RULES: dict[str, Json] = {
    "GenerateRequest": {
        "oneOf": [
            {"required": ["prompt"], "properties": {"prompt": {"type": "string"}}},
            {"required": ["components"], "properties": {"components": {"type": "object"}}},
        ],
        "examples": [
            {"prompt": "house with piano", "bars": 8, "bpm": 124, "key": "Am", "loop": True, "sample_rate": 48_000},
            {"components": {"genre": "jazz", "instruments": ["piano", "double bass"], "meter": "3/4"}, "duration": 30},
        ],
    },
    "PromptComponents": {"minProperties": 1},
}
# `name` is a file as the worker names it: audio.mid, electric_piano.wav, audio.peaks.json.
_PATH_PATTERNS = {"job_id": JOB_ID_PATTERN, "name": r"^[a-z0-9_-]+(\.[a-z0-9]+){1,2}$"}


def make_document(routes: tuple[Route, ...] = ROUTES) -> Json:
    """Build the document as plain data."""
    structs = [ProblemDetails, *_structs(routes)]
    _, components = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    # A round trip through JSON turns Python defaults, such as tuples, into plain data. A pattern's end is `\Z` in
    # Python, where `$` also precedes a last newline, and `$` in JSON Schema.
    schemas: Json = msgspec.json.decode(msgspec.json.encode(components).replace(rb'\\Z"', b'$"'))
    for body in {route.body for route in routes if route.body}:
        _allow_nulls(schemas[body.__name__])
    for name, rules in _RULES.items():
        schemas.get(name, {}).update(rules)
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": SERVICE, "version": VERSION, "license": {"name": "MIT", "identifier": "MIT"}},
        "paths": paths,
        # A key is optional: a gateway without API_KEYS requires none.
        "security": [{"apiKey": []}, {}],
        "components": {"schemas": schemas, "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer"}}},
    }


def _structs(routes: tuple[Route, ...]) -> list[Any]:
    bodies = [route.body for route in routes if route.body]
    response_bodies = [
        kind
        for route in routes
        for response in route.responses.values()
        for kind in _kinds(response)
        if _is_struct(kind)
    ]
    return list(dict.fromkeys([*bodies, *response_bodies]))


def _is_struct(response: object) -> bool:
    return isinstance(response, type) and issubclass(response, msgspec.Struct)


def _allow_nulls(schema: Json) -> None:
    """Allow null in each optional field of a body: it counts as absent."""
    for name in schema["properties"].keys() - set(schema["required"]):
        field = schema["properties"][name]
        notes = {key: field.pop(key) for key in ("default", "description") if key in field}
        options = field.get("anyOf", [field])
        null = [] if {"type": "null"} in options else [{"type": "null"}]
        schema["properties"][name] = {"anyOf": [*options, *null], **notes}


def _operation(route: Route) -> Json:
    operation: Json = {
        "summary": route.summary,
        "operationId": route.operation_id,
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)],
        "responses": {str(status): _response(status, body) for status, body in route.responses.items()},
    }
    operation["responses"] |= {str(status): _problem(status) for status in route.all_problems}
    if route.is_public:
        operation["security"] = []
    if route.body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(route.body)}}}
    return operation


def _path_parameters(route: Route) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": _PATH_PATTERNS[name]}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query_parameters(route: Route) -> list[Json]:
    if route.query is None:
        return []
    (_,), components = msgspec.json.schema_components([route.query], ref_template="#/{name}")
    properties = components[route.query.__name__]["properties"]
    return [
        {"name": name, "in": "query", "required": False, "schema": _inline(schema, components)}
        for name, schema in properties.items()
    ]


def _inline(schema: Any, components: Json) -> Any:
    """Replace references in a parameter's schema by the schemas themselves."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inline(components[schema["$ref"].removeprefix("#/")], components)
        return {key: _inline(value, components) for key, value in schema.items()}
    return [_inline(item, components) for item in schema] if isinstance(schema, list) else schema


def _header_parameters(route: Route) -> list[Json]:
    return [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": _HEADER_TEXTS[name],
            "schema": _HEADER_SCHEMAS[name],
        }
        for name in route.headers
    ]


def _response(status: int, body: Any) -> Json:
    response: Json = {"description": HTTPStatus(status).phrase}
    if body is not None:
        response["content"] = dict(map(_content, _kinds(body)))
    if status == HTTPStatus.FOUND:
        response["headers"] = {"Location": {"schema": {"type": "string", "format": "uri"}}}
    return response


def _kinds(body: Any) -> tuple[Any, ...]:
    """The alternatives of a response body; the client's Accept header selects one."""
    return body if isinstance(body, tuple) else (body,)


def _content(kind: Any) -> tuple[str, Json]:
    if _is_struct(kind):
        return "application/json", {"schema": _ref(kind)}
    return kind, {"schema": {"type": "object"} if kind == "application/json" else {}}


def _problem(status: int) -> Json:
    return {"description": HTTPStatus(status).phrase, "content": {CONTENT_TYPE: {"schema": _ref(ProblemDetails)}}}


def _ref(struct: type) -> Json:
    return {"$ref": f"#/components/schemas/{struct.__name__}"}
