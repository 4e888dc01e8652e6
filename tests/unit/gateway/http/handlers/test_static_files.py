"""GET /assets/{asset}: the files of the web page."""

import gzip
from typing import Any

import aiohttp
import pytest

from gateway.http.handlers.static_files import accepts_gzip
from tests.unit.gateway.conftest import Api
from tests.unit.gateway.http.test_page_build import MOST_BYTES


async def get(api: Api, path: str, encoding: str, **headers: str) -> tuple[aiohttp.ClientResponse, bytes]:
    """The response with its body as it was sent."""
    options: dict[str, Any] = {"headers": {"Accept-Encoding": encoding, **headers}}
    url = api.make_url(f"/{path}")
    async with aiohttp.ClientSession(auto_decompress=False) as http, http.get(url, **options) as response:
        return response, await response.read()


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("", "text/html"), ("assets/studio.js", "text/javascript"), ("assets/studio.css", "text/css")],
)
async def test_a_file_is_compressed_if_the_client_accepts_that(api: Api, path: str, content_type: str) -> None:
    plain, text = await get(api, path, "identity")
    compressed, body = await get(api, path, "gzip, br")
    assert plain.content_type == compressed.content_type == content_type
    assert "Content-Encoding" not in plain.headers
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == text
    assert "Accept-Encoding" in compressed.headers["Vary"]
    assert plain.headers["ETag"] != compressed.headers["ETag"]
    known, nothing = await get(api, path, "gzip", **{"If-None-Match": compressed.headers["ETag"]})
    assert (known.status, nothing) == (304, b"")


async def test_the_whole_page_is_small(api: Api) -> None:
    bodies = [(await get(api, path, "gzip"))[1] for path in ("", "assets/studio.js", "assets/studio.css")]
    assert sum(map(len, bodies)) < MOST_BYTES


async def test_an_unknown_file_is_a_404_that_names_the_others(api: Api) -> None:
    async with api.get("/assets/other.js") as response:
        assert response.status == 404
        assert "studio.js" in (await response.json())["detail"]


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("gzip;q=0, *", False),
        ("gzip;q=0.000", False),
        ("identity", False),
        ("", False),
    ],
)
def test_accept_encoding_is_read_with_its_weights(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) == accepted
