"""Answers as JSON of structs, and how long an answer may be kept."""

import hashlib
from http import HTTPStatus

from aiohttp import ETag, web

from shared.messages import encode


def json_response(body: object, status: int = 200) -> web.Response:
    """`body`, a struct or plain data, as JSON."""
    return web.Response(status=status, body=encode(body), content_type="application/json", charset="utf-8")


def conditional_response(request: web.Request, response: web.Response) -> web.Response:
    """`response` with an ETag, or 304 for a client that has it: for what changes with the gateway's version only."""
    assert isinstance(response.body, bytes)
    tag = hashlib.sha256(response.body).hexdigest()[:32]
    if any(known.value in (tag, "*") for known in request.if_none_match or ()):
        response = web.Response(status=HTTPStatus.NOT_MODIFIED)
    response.etag = tag
    return response


async def set_cache_control(request: web.Request, response: web.StreamResponse) -> None:
    """States change from one moment to the next: nothing is kept but what has an ETag, and that is asked for again."""
    kept = isinstance(response.etag, ETag)
    response.headers.setdefault("Cache-Control", "private, no-cache" if kept else "no-store")
