"""GET /openapi.json."""

from aiohttp import web

from gateway.http.responses import json_response, unless_known

DOCUMENT = web.AppKey("openapi_document", dict)


async def document(request: web.Request) -> web.Response:
    """The OpenAPI 3.1 document, made once at start."""
    return unless_known(request, json_response(request.app[DOCUMENT]))
