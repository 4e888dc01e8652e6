"""Whose request it is: an API key in a header, or, from browsers' WebSockets, in a subprotocol. Never in a URL."""

from http import HTTPStatus

import structlog
from aiohttp import web

from gateway.access.bind_policy import check_host_header
from gateway.http.middleware import Handler
from gateway.problems import Problem, too_many
from gateway.services import SERVICES

# Browsers let a page give a WebSocket no headers, but subprotocols: the first is spoken, the second is the key.
SUBPROTOCOL = "musicgen"
KEY_SUBPROTOCOL = "musicgen.key."

PUBLIC_PATHS = web.AppKey("public_paths", frozenset)

_OWNER = web.RequestKey("owner", str)


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Check the name that is asked for, then authenticate and rate-limit; public paths need no key."""
    keys = request.app[SERVICES].keys
    # Not `request.host`, which makes a name up where the header is missing.
    check_host_header(request.headers.get("Host", ""), request.app[SERVICES].settings, keyed=bool(keys))
    if keys and not _is_public(request):
        key = _extract_key(request)
        owner = keys.owner_of(key) if key else None
        if owner is None:
            raise _unauthorized(key)
        request[_OWNER] = owner
        structlog.contextvars.bind_contextvars(owner=owner)
        if wait := request.app[SERVICES].rate_limiter.take(owner):
            raise too_many("This API key sends more requests than it may. Slow down.", wait)
    return await handler(request)


def owner_of(request: web.Request) -> str | None:
    """The name of the key that came with a request; None on a gateway that is open to everyone."""
    return request.get(_OWNER)


def offered_protocols(request: web.Request) -> list[str]:
    """The WebSocket subprotocols of a handshake."""
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
    """401 as RFC 6750, section 3, has it."""
    detail = (
        "An API key is needed: send it in the header Authorization: Bearer KEY, or, with a WebSocket from a browser, "
        f"offer the subprotocols {SUBPROTOCOL} and {KEY_SUBPROTOCOL}KEY."
    )
    challenge = 'Bearer realm="musicgen"'
    if key:
        detail = "This API key is not known here. Ask whoever runs the gateway for one."
        challenge += ', error="invalid_token"'
    return Problem(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": challenge})
