"""What happens around every request: an id, a trace, a metric, and errors as problem details."""

import re
import secrets
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import structlog
from aiohttp import web

from gateway import metrics
from gateway.problems import Problem, internal_error, problem_response, unavailable
from shared.errors import UnavailableError
from shared.logs import get_logger
from shared.text import escaped

log = get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

REQUEST_ID = web.RequestKey("request_id", str)
TRACEPARENT = web.RequestKey("traceparent", str)

# https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT_FORMAT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")
_REQUEST_ID_FORMAT = re.compile(r"^[A-Za-z0-9._:-]{1,128}$")


@web.middleware
async def request_context(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id (the client's own if it is a sane one) and a trace, and return the id."""
    given = request.headers.get("X-Request-ID", "")
    request_id = given if _REQUEST_ID_FORMAT.match(given) else secrets.token_hex(8)
    request[REQUEST_ID] = request_id
    request[TRACEPARENT] = child_of(request.headers.get("traceparent"))
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(role="gateway", request_id=request_id)
    started = time.perf_counter()
    response = await handler(request)
    if not response.prepared:
        add_common_headers(response, request_id)
    seconds = time.perf_counter() - started
    metrics.observe_request(_route_of(request), request.method, response.status, seconds)
    log.debug("request", method=request.method, path=request.path, status=response.status, seconds=round(seconds, 4))
    return response


def add_common_headers(response: web.StreamResponse, request_id: str) -> None:
    """The headers that every answer has."""
    response.headers["X-Request-ID"] = request_id
    response.headers["X-Content-Type-Options"] = "nosniff"


def new_traceparent() -> str:
    """A new sampled trace."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def child_of(traceparent: str | None) -> str:
    """The same trace with a span of our own; a new trace where there is none or it is malformed."""
    if traceparent is None or not _TRACEPARENT_FORMAT.fullmatch(traceparent):
        return new_traceparent()
    version, trace_id, _, flags = traceparent.split("-")
    return f"{version}-{trace_id}-{secrets.token_hex(8)}-{flags}"


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into problem details; what nobody expected is logged whole and told briefly."""
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
        raise  # the client went away: there is nobody to answer
    except Exception:
        log.exception("request failed", method=request.method, path=request.path)
        found = internal_error(HTTPStatus.INTERNAL_SERVER_ERROR)
    return problem_response(found, request[REQUEST_ID])


def from_aiohttp_error(request: web.BaseRequest, error: web.HTTPException) -> Problem:
    """An error that aiohttp raised, with what to do about it."""
    hints = {
        404: f"There is nothing at {escaped(request.path[:100])}. GET /openapi.json lists what there is.",
        405: f"{request.method} does not go here. Allowed: {error.headers.get('Allow', '')}.",
        417: "Of all expectations only Expect: 100-continue is met here. Leave the header out.",
        413: "The body is larger than 64 KiB. No request needs that much.",
    }
    kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    return Problem(HTTPStatus(error.status), hints.get(error.status, error.text or error.reason), headers=kept)


def _route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unmatched"
