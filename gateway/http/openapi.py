"""The OpenAPI 3.1 document, generated from the route table and the structs that validate requests.

Specification: https://spec.openapis.org/oas/v3.1.1

`python -m gateway.http.openapi` prints it, for generators that run without a gateway.
"""

import re
import sys
from http import HTTPStatus
from typing import Any

import msgspec

from gateway.http.openapi_examples import JOB_ID
from gateway.http.openapi_schemas import Json, make_schemas, parameters_of, reference
from gateway.http.preferences import CANCEL_AFTER_PATTERN, LONGEST_CANCEL_AFTER, LONGEST_WAIT
from gateway.http.route import Route
from gateway.http.routes import ROUTES
from gateway.problems import CONTENT_TYPE, ProblemDetails
from gateway.schemas import IDEMPOTENCY_KEY_PATTERN
from shared.audio_conditions import AUDIO_ID_PATTERN
from shared.job_id import JOB_ID_PATTERN
from shared.version import SERVICE, VERSION

_HEADER_TEXTS = {
    "Idempotency-Key": "A repeated request with the same key returns the first job.",
    "Last-Event-ID": "The id of the last event that the client has received; browsers send it by themselves.",
    "Range": "With proxy=1: the requested bytes.",
    "If-Range": "With proxy=1: the ETag that Range applies to; if the file has another one, the whole file is sent.",
    "If-None-Match": "Cached ETags; if one is the present one, the response is 304. Of audio: with proxy=1.",
    "Prefer": f"With wait=N, the answer comes when the job has ended, after N seconds at most (up to {LONGEST_WAIT}).",
    "Cancel-After": f"Cancels the job unless it has ended by then: from 1s to {LONGEST_CANCEL_AFTER}s.",
    "If-Match": "With proxy=1 or bundle.zip: accepted ETags; if none is the file's, the response is 412.",
    "Content-Digest": "The SHA-256 of a file that is the body (RFC 9530); another one is refused with 422.",
}
_HEADER_SCHEMAS = {
    "Idempotency-Key": {"type": "string", "pattern": IDEMPOTENCY_KEY_PATTERN},
    "Prefer": {"type": "string", "examples": ["wait=30"]},
    "Cancel-After": {"type": "string", "pattern": CANCEL_AFTER_PATTERN, "examples": ["90s"]},
    "Last-Event-ID": {"type": "string", "pattern": r"^\d{0,18}$"},
    **{name: {"type": "string"} for name in ("Range", "If-Range", "If-None-Match", "If-Match", "Content-Digest")},
}
# `name` is a file as the worker names it: audio.mid, electric_piano.wav, audio.peaks.json.
_PATH_PARAMETERS: dict[str, Json] = {
    "job_id": {
        "description": "The id of a job.",
        "schema": {"type": "string", "pattern": JOB_ID_PATTERN, "examples": [JOB_ID]},
    },
    "name": {
        "description": "The name of a file of the job.",
        "schema": {
            "type": "string",
            "pattern": r"^[a-z0-9_-]+(\.[a-z0-9]+){1,2}$",
            "examples": ["audio.peaks.json", "audio.mid"],
        },
    },
    "audio_id": {
        "description": "The id of an uploaded file.",
        "schema": {"type": "string", "pattern": AUDIO_ID_PATTERN, "examples": ["aud_abc123456789"]},
    },
    "asset": {
        "description": "The name of a file of the web page.",
        "schema": {"type": "string", "pattern": r"^[a-z]+\.[a-z]+$", "examples": ["studio.js"]},
    },
}
# By the first word of an operation's id.
_TAGS = {
    "generate": "Start jobs.",
    "jobs": "Follow, list and cancel jobs.",
    "download": "The files of finished jobs.",
    "webhooks": "Deliveries of events to the webhooks that requests named.",
    "prompt": "Build, read and invent prompts.",
    "audio": "Files that clients upload.",
    "websocket": "Events of jobs as they happen, and live audio.",
    "models": "The models that workers serve.",
    "health": "The state of the service.",
    "index": "The web page, and what the service offers.",
    "openapi": "This document.",
    "asyncapi": "The document of the messages.",
}
_DESCRIPTION = """Music from text.

- Times are RFC 3339 in UTC with three decimals, such as `2024-12-01T10:00:00.000Z`.
- Fields are only ever added: ignore those that you do not know. Durations are in seconds.
- `null` in an optional field of a body counts as absent.
- Errors are `application/problem+json`; their `detail` says what to do.
"""


def make_document(routes: tuple[Route, ...] = ROUTES) -> Json:
    """Build the document as plain data."""
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": SERVICE,
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "The gateway that served this document."}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
        "paths": paths,
        # A key is optional: a gateway without API_KEYS requires none.
        "security": [{"apiKey": []}, {}],
        "components": {
            "schemas": make_schemas([ProblemDetails, *_structs(routes)]),
            "securitySchemes": {"apiKey": {"type": "http", "scheme": "bearer", "description": "One of API_KEYS."}},
        },
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


def _operation(route: Route) -> Json:
    operation: Json = {
        "tags": [route.operation_id.partition("_")[0]],
        "summary": route.summary,
        "description": route.description,
        "operationId": route.operation_id,
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)],
        "responses": {str(status): _response(status, body) for status, body in route.responses.items()},
    }
    operation["responses"] |= {str(status): _problem(status) for status in route.all_problems}
    if route.is_public:
        operation["security"] = []
    if route.body:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(route.body)}}}
    if route.file_types:
        operation["requestBody"] = {"required": True, "content": dict(map(_file_content, route.file_types))}
    return operation


def _file_content(kind: str) -> tuple[str, Json]:
    """A file as the body, or in a form."""
    binary = reference("Binary")
    if kind != "multipart/form-data":
        return kind, {"schema": binary}
    return kind, {"schema": {"type": "object", "properties": {"file": binary}, "required": ["file"]}}


def _path_parameters(route: Route) -> list[Json]:
    return [
        {"name": name, "in": "path", "required": True, **_PATH_PARAMETERS[name]}
        for name in re.findall(r"{(\w+)}", route.path)
    ]


def _query_parameters(route: Route) -> list[Json]:
    schemas = parameters_of(route.query) if route.query else {}
    return [
        {"name": name, "in": "query", "required": False, "description": schema.pop("description"), "schema": schema}
        for name, schema in schemas.items()
    ]


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
    if kind == "text/event-stream":
        # OpenAPI 3.2 has `itemSchema` for the events of a stream. Each event's `data` is this object.
        return kind, {"schema": {"type": "string"}, "x-itemSchema": reference("Event")}
    if kind.startswith("text/"):
        return kind, {"schema": {"type": "string"}}
    return kind, {"schema": reference("OpenApiDocument" if kind == "application/json" else "Binary")}


def _problem(status: int) -> Json:
    response: Json = {
        "description": HTTPStatus(status).phrase,
        "content": {CONTENT_TYPE: {"schema": _ref(ProblemDetails)}},
    }
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        response["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return response


def _ref(struct: type) -> Json:
    return reference(struct.__name__)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(make_document()))
