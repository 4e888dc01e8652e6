"""Authentication by API key: in a header, or in a subprotocol for WebSockets in browsers. Never in a URL."""

from http import HTTPStatus

import structlog
from aiohttp import web

from gateway.access.bind_policy import check_host_header
from gateway.http.middleware import Handler
from gateway.problems import Problem, too_many
from gateway.services import SERVICES

# A page in a browser cannot set headers of a WebSocket, but it can offer subprotocols: the protocol and the key.
SUBPROTOCOL = "musicgen"
KEY_SUBPROTOCOL = "musicgen.key."

PUBLIC_PATHS = web.AppKey("public_paths", frozenset)

_VIEWER = web.RequestKey("viewer", str)


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Check the Host header, then authenticate and rate-limit. Public paths skip authentication and the rate limit."""
    keys = request.app[SERVICES].keys
    # Not `request.host`, which falls back to the local host name if the header is missing.
    check_host_header(request.headers.get("Host", ""), request.app[SERVICES].settings, keyed=bool(keys))
    if keys and not _is_public(request):
        key = _extract_key(request)
        viewer = keys.name_of(key) if key else None
        if viewer is None:
            raise _unauthorized(key)
        request[_VIEWER] = viewer
        structlog.contextvars.bind_contextvars(owner=viewer)
        if wait := request.app[SERVICES].rate_limiter.take(viewer):
            raise too_many("This API key is over its request rate limit. Slow down.", wait)
    return await handler(request)


def viewer_of(request: web.Request) -> str | None:
    """The name of the request's API key, which decides which jobs it may see; None on a gateway without keys."""
    return request.get(_VIEWER)


def offered_protocols(request: web.Request) -> list[str]:
    """The WebSocket subprotocols that the client offers."""
    return [protocol.strip() for protocol in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]


def _is_public(request: web.Request) -> bool:
    resource = request.match_info.route.resource
    return resource is not None and resource.canonical in request.app[PUBLIC_PATHS]


def _extract_key(request: web.Request) -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return key.strip()
    keys = [protocol for protocol in offered_protocols(request) if protocol.startswith(KEY_SUBPROTOCOL)]
    return keys[0].removeprefix(KEY_SUBPROTOCOL) if keys else ""


def _unauthorized(key: str) -> Problem:
    """401 according to RFC 6750, section 3."""
    detail = (
        "An API key is required. Send the header Authorization: Bearer KEY, or, for a WebSocket in a browser, "
        f"offer the subprotocols {SUBPROTOCOL} and {KEY_SUBPROTOCOL}KEY."
    )
    challenge = 'Bearer realm="musicgen"'
    if key:
        detail = "This API key is unknown. Ask the operator of this gateway for a key."
        challenge += ', error="invalid_token"'
    return Problem(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})
