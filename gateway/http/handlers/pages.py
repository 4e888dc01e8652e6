"""GET /, the web page or a JSON description, GET /openapi.json, GET /asyncapi.json and GET /docs."""

from functools import cache

from aiohttp import web

from gateway.decoding import format_number
from gateway.http.accept import prefers
from gateway.http.handlers.static_files import STATIC, StaticFile, static_response
from gateway.http.responses import conditional_response, json_response
from gateway.schemas import ServiceInfo
from gateway.services import SERVICES
from shared.version import SERVICE, VERSION

DOCUMENT = web.AppKey("openapi_document", dict)
ASYNCAPI = web.AppKey("asyncapi_document", dict)
ENDPOINTS = web.AppKey("endpoints", dict)

_PAGE = STATIC.joinpath("index.html").read_bytes()
_MAX_DURATION = b'data-max-duration="120"'

# The page has no inline script or style, and connects to its gateway alone: audio comes through the gateway, too.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The reference writes styles into its elements. Its code comes from the gateway alone, as that of the page does.
_DOCS_POLICY = _POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
_DOCS = StaticFile("text/html", STATIC.joinpath("docs.html").read_bytes())


async def index(request: web.Request) -> web.Response:
    """GET /: JSON if the client names application/json and likes text/html no better, else the web page."""
    if prefers(request.headers.get("Accept", ""), "application/json", "text/html"):
        state = "ready" if request.app[SERVICES].bus.is_ready else "waiting for NATS"
        response = json_response(ServiceInfo(SERVICE, VERSION, state, request.app[ENDPOINTS]))
        response.headers["Vary"] = "Accept"
        return response
    page = _page(format_number(request.app[SERVICES].settings.max_duration))
    response = static_response(request, page)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Vary"] = "Accept, Accept-Encoding"
    return response


@cache
def _page(max_duration: str) -> StaticFile:
    """The page with the gateway's MAX_DURATION in it."""
    return StaticFile("text/html", _PAGE.replace(_MAX_DURATION, f'data-max-duration="{max_duration}"'.encode()))


async def openapi_document(request: web.Request) -> web.Response:
    """GET /openapi.json: the OpenAPI 3.1 document, built once at start."""
    return conditional_response(request, json_response(request.app[DOCUMENT]))


async def asyncapi_document(request: web.Request) -> web.Response:
    """GET /asyncapi.json: the AsyncAPI 3 document, built once at start."""
    return conditional_response(request, json_response(request.app[ASYNCAPI]))


async def docs(request: web.Request) -> web.Response:
    """GET /docs: the OpenAPI document as a page, drawn by RapiDoc from the gateway's own files."""
    response = static_response(request, _DOCS)
    response.headers["Content-Security-Policy"] = _DOCS_POLICY
    return response
