"""GET /assets/{asset}: the built script and styles of the web page, from `gateway/http/static`."""

import gzip
from http import HTTPStatus
from importlib.resources import files
from typing import NamedTuple

from aiohttp import web

from gateway.http.responses import conditional_response
from gateway.problems import Problem
from shared.text import escaped

STATIC = files("gateway.http.static")
CONTENT_TYPES = {"js": "text/javascript", "css": "text/css", "txt": "text/plain"}


class StaticFile(NamedTuple):
    """A text file, as it is and compressed; both are made once, at start."""

    content_type: str
    plain: bytes
    compressed: bytes


def static_file(content_type: str, text: bytes) -> StaticFile:
    return StaticFile(content_type, text, gzip.compress(text, mtime=0))


_ASSETS = {
    each.name: static_file(CONTENT_TYPES[each.name.rpartition(".")[2]], each.read_bytes())
    for each in STATIC.joinpath("assets").iterdir()
}


async def asset(request: web.Request) -> web.Response:
    """GET a file of the page. Its name is stable, so that caches revalidate it by its ETag.

    Raises:
        Problem: 404 that lists the existing files.
    """
    name = request.match_info["asset"]
    if name not in _ASSETS:
        raise Problem(
            HTTPStatus.NOT_FOUND,
            f"The page has no file {escaped(name[:100])}. Its files: {', '.join(sorted(_ASSETS))}.",
        )
    return static_response(request, _ASSETS[name])


def static_response(request: web.Request, file: StaticFile) -> web.Response:
    """The file with an ETag, compressed if the client accepts that."""
    is_compressed = accepts_gzip(request.headers.get("Accept-Encoding", ""))
    response = web.Response(
        body=file.compressed if is_compressed else file.plain, content_type=file.content_type, charset="utf-8"
    )
    response = conditional_response(request, response)
    response.headers["Vary"] = "Accept-Encoding"
    if is_compressed and response.status == HTTPStatus.OK:
        response.headers["Content-Encoding"] = "gzip"
    return response


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the header accepts gzip, by name or as `*` (RFC 9110, section 12.5.3)."""
    weights = dict(map(_coding_and_weight, accept_encoding.lower().split(",")))
    return weights.get("gzip", weights.get("*", "0")).strip("0.") != ""


def _coding_and_weight(part: str) -> tuple[str, str]:
    coding, _, parameter = part.partition(";")
    return coding.strip(), parameter.partition("=")[2].strip() or "1"
