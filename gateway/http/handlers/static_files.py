"""GET /assets/{asset}: the built script and styles of the web page, from `gateway/http/static`."""

import gzip
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from importlib.resources import files

from aiohttp import web

from gateway.http.responses import conditional_response
from gateway.problems import Problem
from shared.text import escaped

STATIC = files("gateway.http.static")
CONTENT_TYPES = {"js": "text/javascript", "css": "text/css", "txt": "text/plain"}
# The build of the page compresses with Brotli: Python's library has no encoder for it.
BROTLI = ".br"


class StaticFile:
    """A text file, as it is and compressed; all are made once, at start.

    Attributes:
        contents: the bytes by content coding (RFC 9110, section 8.4.1), the smallest first; the last is `identity`.
    """

    def __init__(self, content_type: str, text: bytes, brotli: bytes | None = None) -> None:
        self.content_type = content_type
        compressed = {"br": brotli} if brotli else {}
        self.contents: Mapping[str, bytes] = compressed | {"gzip": gzip.compress(text, mtime=0), "identity": text}


def _load_assets() -> dict[str, StaticFile]:
    found = {each.name: each.read_bytes() for each in STATIC.joinpath("assets").iterdir()}
    return {
        name: StaticFile(CONTENT_TYPES[name.rpartition(".")[2]], text, found.get(name + BROTLI))
        for name, text in found.items()
        if not name.endswith(BROTLI)
    }


_ASSETS = _load_assets()


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
    """The file in the smallest form that the client accepts. Each form has an ETag of its own."""
    coding = accepted_coding(request.headers.get("Accept-Encoding", ""), file.contents)
    response = web.Response(body=file.contents[coding], content_type=file.content_type, charset="utf-8")
    response = conditional_response(request, response)
    response.headers["Vary"] = "Accept-Encoding"
    if coding != "identity" and response.status == HTTPStatus.OK:
        response.headers["Content-Encoding"] = coding
    return response


def accepted_coding(accept_encoding: str, offered: Iterable[str]) -> str:
    """The first of the offered content codings that the header accepts, by name or as `*`; else `identity`.

    Weights only exclude (RFC 9110, section 12.5.3): a client gains nothing by a larger body.
    """
    weights = dict(map(_coding_and_weight, accept_encoding.lower().split(",")))
    accepted = (coding for coding in offered if weights.get(coding, weights.get("*", "0")).strip("0.") != "")
    return next(accepted, "identity")


def _coding_and_weight(part: str) -> tuple[str, str]:
    coding, _, parameter = part.partition(";")
    return coding.strip(), parameter.partition("=")[2].strip() or "1"
