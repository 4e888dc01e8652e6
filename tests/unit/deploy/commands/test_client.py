"""Where the gateway is, and its errors in words."""

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.commands.client import DEFAULT_URL, answer, connected, gateway_url
from deploy.stack.runfile import default_data_dir
from shared.errors import MusicgenError
from tests.unit.deploy.commands.stack import URLS, seeming_up


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data folder, which is the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("MUSICGEN_URL", raising=False)
    found = default_data_dir()
    assert found.is_relative_to(tmp_path)
    found.mkdir()
    return found


def test_without_any_hint_the_default_port_is_tried() -> None:
    assert gateway_url(None) == DEFAULT_URL


def test_a_running_up_is_found(data_dir: Path) -> None:
    seeming_up(data_dir)
    assert gateway_url(None) == URLS["gateway"]


def test_an_up_that_was_killed_is_not_asked(data_dir: Path) -> None:
    seeming_up(data_dir, alive=False)
    assert gateway_url(None) == DEFAULT_URL


def test_an_up_without_its_gateway_yet_is_not_asked(data_dir: Path) -> None:
    seeming_up(data_dir, "nats", "s3")
    assert gateway_url(None) == DEFAULT_URL


def test_the_variable_goes_before_the_running_up_and_the_option_before_both(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeming_up(data_dir)
    monkeypatch.setenv("MUSICGEN_URL", "http://variable:1/")
    assert gateway_url(None) == "http://variable:1"
    assert gateway_url("http://option:2/") == "http://option:2"


async def test_nobody_at_the_url_is_said_with_the_remedy() -> None:
    with pytest.raises(MusicgenError, match=r"No gateway answers at http://127\.0\.0\.1:1\.") as caught:
        async with connected("http://127.0.0.1:1") as session, session.get("/"):
            pass
    assert "musicgen up" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (409, '{"title": "Conflict", "detail": "It is finished already."}', "It is finished already."),
        (502, "<html>Bad gateway</html>", "The gateway answered 502"),
        (500, "[]", "The gateway answered 500"),
        (500, "", "The gateway answered 500"),
        (404, '{"title": "Not Found"}', "The gateway answered 404"),
    ],
)
async def test_an_error_is_told_in_the_gateways_words_if_it_has_some(status: int, body: str, words: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    app = web.Application()
    app.router.add_get("/", handler)
    async with TestServer(app) as server, connected(str(server.make_url(""))) as session, session.get("/") as response:
        with pytest.raises(MusicgenError, match=words):
            await answer(response)


async def test_the_key_in_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(request: web.Request) -> web.Response:
        return web.json_response(request.headers.get("Authorization"))

    app = web.Application()
    app.router.add_get("/", tell)
    async with TestServer(app) as server:
        for key, header in (("", None), ("k" * 16, "Bearer " + "k" * 16)):
            monkeypatch.setenv("MUSICGEN_API_KEY", key)
            async with connected(str(server.make_url(""))) as session, session.get("/") as response:
                assert await answer(response) == header


async def test_a_missing_key_is_said_to_be_missing() -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"detail": "An API key is needed."}, status=401)

    app = web.Application()
    app.router.add_get("/", refuse)
    async with TestServer(app) as server, connected(str(server.make_url(""))) as session, session.get("/") as response:
        with pytest.raises(MusicgenError, match="set MUSICGEN_API_KEY"):
            await answer(response)
