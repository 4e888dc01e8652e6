"""Middleware for every request: request id, W3C trace context, metrics, and errors as problem details."""

import re
import secrets
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import structlog
from aiohttp import web
from opentelemetry.trace import Span, SpanKind

from gateway import metrics
from gateway.http.requests import MAX_BODY
from gateway.problems import Problem, internal_error, problem_response, unavailable
from shared import tracing
from shared.errors import UnavailableError
from shared.logs import get_logger
from shared.text import escaped

log = get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID = web.RequestKey("request_id", str)
TRACEPARENT = web.RequestKey("traceparent", str)
# Whether the answer takes as long as a job does, so that its time says nothing about the gateway.
STAYS_OPEN = web.RequestKey("stays_open", bool)

# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT_FORMAT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")
_REQUEST_ID_FORMAT = re.compile(r"^[A-Za-z0-9._:-]{1,128}$")


@web.middleware
async def request_context(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Assign a request id (the client's if valid) and a trace context, and count the request."""
    given = request.headers.get("X-Request-ID", "")
    request_id = given if _REQUEST_ID_FORMAT.match(given) else secrets.token_hex(8)
    request[REQUEST_ID] = request_id
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(role="gateway", request_id=request_id)
    started = time.perf_counter()
    response = await _traced(request, handler)
    seconds = time.perf_counter() - started
    timed = None if request.get(STAYS_OPEN) else seconds
    metrics.observe_request(_route_of(request), request.method, response.status, timed, request[TRACEPARENT])
    log.debug("request", method=request.method, path=request.path, status=response.status, seconds=round(seconds, 4))
    return response


async def _traced(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Handle the request within a span of its own.

    Clients poll, so a request that changes nothing has a span only if it belongs to a trace of its client.
    """
    given = request.headers.get("traceparent")
    if given is None and request.method not in ("POST", "DELETE"):
        _enter_trace(request, new_traceparent())
        return await handler(request)
    route = _route_of(request)
    method = request.method if request.method in metrics.METHODS else "_OTHER"
    attributes = {
        "http.request.method": method,
        "http.route": route,
        "url.path": request.path,
        "url.scheme": request.scheme,
    }
    with tracing.remote_span(f"{method} {route}", SpanKind.SERVER, given, attributes) as span:
        _enter_trace(request, _own_traceparent(span, given))
        response = await handler(request)
        span.set_attribute("http.response.status_code", response.status)
        if response.status >= 500:
            tracing.failed(str(response.status), response.reason)
        return response


def _enter_trace(request: web.Request, traceparent: str) -> None:
    request[TRACEPARENT] = traceparent
    structlog.contextvars.bind_contextvars(trace_id=tracing.trace_id_of(traceparent))


def _own_traceparent(span: Span, given: str | None) -> str:
    """The span's traceparent; while there are no spans, a new id in the same trace stands for it."""
    return tracing.traceparent_of(span) or child_of(given)


async def add_request_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the common headers before a response is sent: the headers of a stream are gone when its handler returns.

    A request without an id was refused before the middlewares; the connection adds the headers to that answer.
    """
    if REQUEST_ID in request:
        add_common_headers(response, request[REQUEST_ID])


def add_common_headers(response: web.StreamResponse, request_id: str) -> None:
    """Add the headers that every response has."""
    response.headers["X-Request-ID"] = request_id
    response.headers["X-Content-Type-Options"] = "nosniff"


def new_traceparent() -> str:
    """A traceparent that starts a new, sampled trace."""
    random = secrets.token_hex(24)  # one call of the system instead of two
    return f"00-{random[:32]}-{random[32:]}-01"


def child_of(traceparent: str | None) -> str:
    """The same trace with a new span id; a new trace if `traceparent` is missing or malformed."""
    if traceparent is None or not _TRACEPARENT_FORMAT.fullmatch(traceparent):
        return new_traceparent()
    version, trace_id, _, flags = traceparent.split("-")
    return f"{version}-{trace_id}-{secrets.token_hex(8)}-{flags}"


@web.middleware
async def problem_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Convert errors to problem details. Unexpected errors: traceback in the log, a generic 500 to the client."""
    try:
        return await handler(request)
    except Problem as problem:
        found = problem
    except UnavailableError as error:
        found = unavailable(str(error))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        found = from_aiohttp_error(request, error)
    except ConnectionError:
        raise  # the client disconnected: there is no response to send
    except Exception:
        log.exception("request failed", method=request.method, path=request.path)
        found = internal_error(HTTPStatus.INTERNAL_SERVER_ERROR)
    return problem_response(found, request[REQUEST_ID])


def from_aiohttp_error(request: web.BaseRequest, error: web.HTTPException) -> Problem:
    """Convert an error of aiohttp to a problem that says what to do next."""
    hints = {
        404: f"There is nothing at {escaped(request.path[:100])}. GET /openapi.json lists all paths.",
        405: f"{request.method} is not allowed here. Allowed: {error.headers.get('Allow', '')}.",
        417: "The only supported expectation is Expect: 100-continue. Remove the header.",
        413: f"The body exceeds {MAX_BODY // 1024} KiB. Send a smaller one.",
    }
    kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    return Problem(HTTPStatus(error.status), hints.get(error.status, error.text or error.reason), headers=kept)


def _route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unmatched"
