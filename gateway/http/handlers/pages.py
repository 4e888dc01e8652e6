"""GET /, the web page or a JSON description, and GET /openapi.json."""

from importlib.resources import files

from aiohttp import web

from gateway.decoding import format_number
from gateway.http.responses import conditional_response, json_response
from gateway.schemas import ServiceInfo
from gateway.services import SERVICES
from shared.version import SERVICE, VERSION

DOCUMENT = web.AppKey("openapi_document", dict)
ENDPOINTS = web.AppKey("endpoints", dict)

_PAGE = files("gateway.http.static").joinpath("index.html").read_bytes()

# The page is self-contained, but audio may come from the S3 endpoint after a redirect.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self' ws: wss: http: https:; media-src 'self' blob: http: https:; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def index(request: web.Request) -> web.Response:
    """GET /: JSON if the client accepts application/json explicitly, else the web page."""
    if "application/json" in request.headers.get("Accept", ""):
        state = "ready" if request.app[SERVICES].bus.is_ready else "waiting for NATS"
        response = json_response(ServiceInfo(SERVICE, VERSION, state, request.app[ENDPOINTS]))
        response.headers["Vary"] = "Accept"
        return response
    max_duration = f'data-max-duration="{format_number(request.app[SERVICES].settings.max_duration)}"'.encode()
    page = web.Response(
        body=_PAGE.replace(b'data-max-duration="120"', max_duration),
        content_type="text/html",
        charset="utf-8",
        headers={"Content-Security-Policy": _POLICY},
    )
    response = conditional_response(request, page)
    response.headers["Vary"] = "Accept"
    return response


async def openapi_document(request: web.Request) -> web.Response:
    """GET /openapi.json: the OpenAPI 3.1 document, built once at start."""
    return conditional_response(request, json_response(request.app[DOCUMENT]))
