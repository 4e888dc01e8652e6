"""Errors as `application/problem+json` (RFC 9457). Each detail says what to do next."""

import math
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web

from shared.messages import JobRecord, Recipe

CONTENT_TYPE = "application/problem+json"


class FieldError(msgspec.Struct, frozen=True):
    """An invalid field of a request. Nested fields are written `components.tempo`."""

    field: str
    message: str


class ProblemDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """RFC 9457, section 3.1, with `errors` for invalid fields and the `request_id` that the log has too.

    `recipe` is a body for POST /api/v1/generate that makes expired or lost audio again.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []
    request_id: str = ""
    recipe: Recipe | None = None


class Problem(Exception):  # noqa: N818 - the RFC's term
    """Raised by handlers; the middleware turns it into the response.

    Args:
        status: the HTTP status.
        detail: the error, and what the client should do next.
        errors: the invalid fields of a body or query.
        headers: additional headers, such as Retry-After.
        recipe: how to make missing audio again.
    """

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: list[FieldError] | None = None,
        headers: Mapping[str, str] | None = None,
        recipe: Recipe | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors or []
        self.headers = dict(headers or {})
        self.recipe = recipe


def invalid(*errors: FieldError) -> Problem:
    """422 for invalid fields; the detail repeats the first one."""
    first = errors[0]
    subject = f"{first.field}: " if first.field else ""
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{subject}{first.message}", errors=list(errors))


def unknown_job(job_id: str) -> Problem:
    """404 for an unknown job."""
    shown = job_id if len(job_id) <= 40 else f"{job_id[:40]}…"
    return Problem(HTTPStatus.NOT_FOUND, f"There is no job {shown!r}. GET /api/v1/jobs lists the existing ones.")


def audio_gone(record: JobRecord) -> Problem:
    """410 for audio that has expired."""
    return _gone(f"The audio of job {record.job_id} is no longer stored", record)


def lost_file_problem(record: JobRecord, name: str) -> Problem:
    """410 for a stored file that is missing or damaged."""
    return _gone(f"The file {name} of job {record.job_id} is lost: it is missing from the store or damaged", record)


def _gone(what: str, record: JobRecord) -> Problem:
    detail = f"{what}. POST its recipe to /api/v1/generate to make it again."
    return Problem(HTTPStatus.GONE, detail, recipe=record.recipe)


def unavailable(detail: str, retry_after: int = 2) -> Problem:
    """503 for a temporary outage. `retry_after` is in seconds."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": str(retry_after)})


def too_many(detail: str, retry_after: float) -> Problem:
    """429 for a client over a limit. `retry_after` is in seconds."""
    headers = {"Retry-After": str(max(math.ceil(retry_after), 1))}
    return Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, headers=headers)


def internal_error(status: HTTPStatus) -> Problem:
    """A generic error of the gateway. Details go to the log alone."""
    return Problem(status, "The gateway failed to handle this request. Report the request_id; the log has the details.")


def problem_response(problem: Problem, request_id: str) -> web.Response:
    """`problem` as a response."""
    details = ProblemDetails(
        title=problem.status.phrase,
        status=problem.status,
        detail=problem.detail,
        errors=problem.errors,
        request_id=request_id,
        recipe=problem.recipe,
    )
    return web.Response(
        status=problem.status,
        body=msgspec.json.encode(details),
        content_type=CONTENT_TYPE,
        headers=problem.headers,
    )


def raw_response(problem: Problem, *, has_body: bool = True) -> bytes:
    """`problem` as bytes, for a request that aiohttp has not parsed. The caller closes the connection after it."""
    details = ProblemDetails(title=problem.status.phrase, status=problem.status, detail=problem.detail)
    body = msgspec.json.encode(details)
    headers = problem.headers | {
        "Content-Type": CONTENT_TYPE,
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
        "Connection": "close",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {problem.status.value} {problem.status.phrase}\r\n{lines}\r\n".encode() + body * has_body
