"""GET /assets/{asset}: the files of the web page."""

import gzip
from typing import Any

import aiohttp
import pytest

from gateway.http.handlers.static_files import accepted_coding
from tests.unit.gateway.conftest import Api
from tests.unit.gateway.http.test_page_build import MOST_BYTES


async def get(api: Api, path: str, encoding: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
    """The response with its body as it was sent."""
    options: dict[str, Any] = {"headers": {"Accept-Encoding": encoding, **headers}}
    url = api.make_url(f"/{path}")
    async with aiohttp.ClientSession(auto_decompress=False) as http, http.get(url, **options) as response:
        return response, await response.read()


@pytest.mark.parametrize(
    ("path", "content_type", "codings"),
    [
        ("", "text/html", ["gzip"]),
        ("assets/studio.js", "text/javascript", ["br", "gzip"]),
        ("assets/studio.css", "text/css", ["br", "gzip"]),
    ],
)
async def test_a_file_is_compressed_if_the_client_accepts_that(
    api: Api, path: str, content_type: str, codings: list[str]
) -> None:
    plain, text = await get(api, path, "identity")
    assert "Content-Encoding" not in plain.headers
    tags = {plain.headers["ETag"]}
    for coding in codings:
        compressed, body = await get(api, path, coding)
        assert plain.content_type == compressed.content_type == content_type
        assert compressed.headers["Content-Encoding"] == coding
        assert len(body) < len(text) / 1.5
        assert "Accept-Encoding" in compressed.headers["Vary"]
        tags.add(compressed.headers["ETag"])
        known, nothing = await get(api, path, coding, **{"If-None-Match": compressed.headers["ETag"]})
        assert (known.status, nothing) == (304, b"")
    assert len(tags) == len(codings) + 1


async def test_what_gzip_sends_is_the_file(api: Api) -> None:
    _, text = await get(api, "assets/studio.js", "identity")
    _, body = await get(api, "assets/studio.js", "gzip")
    assert gzip.decompress(body) == text


async def test_the_whole_page_is_small(api: Api) -> None:
    bodies = [(await get(api, path, "gzip"))[1] for path in ("", "assets/studio.js", "assets/studio.css")]
    assert sum(map(len, bodies)) < MOST_BYTES


async def test_an_unknown_file_is_a_404_that_names_the_others(api: Api) -> None:
    async with api.get("/assets/other.js") as response:
        assert response.status == 404
        assert "studio.js" in (await response.json())["detail"]


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("BR;q=0.1, GZIP;q=0.5", "br"),
        ("*", "br"),
        ("br;q=0, *", "gzip"),
        ("gzip;q=0, br;q=0.000, *", "identity"),
        ("identity", "identity"),
        ("", "identity"),
    ],
)
def test_accept_encoding_is_read_with_its_weights(header: str, coding: str) -> None:
    assert accepted_coding(header, ["br", "gzip", "identity"]) == coding
