"""JSON responses, entity tags and cache control."""

import hashlib
from http import HTTPStatus

from aiohttp import ETag, web

from shared.messages import encode


def json_response(body: object, status: int = 200) -> web.Response:
    """Encode `body`, a struct or plain data, as JSON."""
    return web.Response(status=status, body=encode(body), content_type="application/json", charset="utf-8")


def conditional_response(request: web.Request, response: web.Response) -> web.Response:
    """Add an ETag, and respond with 304 if it matches If-None-Match. For content that rarely changes."""
    assert isinstance(response.body, bytes)
    tag = hashlib.sha256(response.body).hexdigest()[:32]
    if any(each.value in (tag, "*") for each in request.if_none_match or ()):
        response = web.Response(status=HTTPStatus.NOT_MODIFIED)
    response.etag = tag
    return response


async def set_cache_control(request: web.Request, response: web.StreamResponse) -> None:
    """Forbid caching, except for responses with an ETag, which a cache must revalidate."""
    has_etag = isinstance(response.etag, ETag)
    response.headers.setdefault("Cache-Control", "private, no-cache" if has_etag else "no-store")
