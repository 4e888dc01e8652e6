"""CORS: lets pages of the origins in CORS_ORIGINS use the gateway from a browser.

Protocol: https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from aiohttp import web

from gateway.http.middleware import Handler
from gateway.services import SERVICES

_PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Cancel-After, Content-Type, Idempotency-Key, If-Match, "
    "If-None-Match, If-Range, Last-Event-ID, Prefer, Range, X-Request-ID, traceparent",
    "Access-Control-Max-Age": "600",
}
_EXPOSED_HEADERS = (
    "Content-Disposition, Content-Range, ETag, Preference-Applied, Retry-After, WWW-Authenticate, X-Request-ID"
)


@web.middleware
async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer CORS preflight requests. They carry no API key, so this runs before authentication."""
    if (
        request.method == "OPTIONS"
        and "Access-Control-Request-Method" in request.headers
        and _is_allowed_origin(request)
    ):
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT_HEADERS)
    return await handler(request)


async def add_cors_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Let pages of the allowed origins read every response, errors included."""
    if not request.app[SERVICES].settings.allowed_origins:
        return
    response.headers.add("Vary", "Origin")
    if _is_allowed_origin(request):
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED_HEADERS


def may_open_websocket(request: web.Request) -> bool:
    """Whether the handshake's Origin is allowed: none (not a browser), the gateway's own, or one in CORS_ORIGINS."""
    origin = request.headers.get("Origin")
    return origin is None or _host_of(origin) == request.headers.get("Host") or _is_allowed_origin(request)


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _is_allowed_origin(request: web.Request) -> bool:
    return request.headers.get("Origin") in request.app[SERVICES].settings.allowed_origins
