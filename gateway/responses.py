"""Answers as JSON of structs."""

import msgspec
from aiohttp import web

_encode = msgspec.json.Encoder().encode


def json_response(body: object, status: int = 200) -> web.Response:
    """`body`, a struct or plain data, as JSON."""
    return web.Response(status=status, body=_encode(body), content_type="application/json", charset="utf-8")
