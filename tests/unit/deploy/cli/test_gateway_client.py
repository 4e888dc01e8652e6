"""Finding the gateway, and readable errors."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestServer
from musicgen_client.address import DEFAULT_URL

from deploy.cli.gateway_client import GatewayTarget, gateway_client, gateway_url
from deploy.cli.main import main
from deploy.stack.data_folder import default_data_dir
from shared.errors import MusicgenError
from tests.unit.deploy.cli.fake_up import URLS, fake_up, without_home


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default data folder, inside the temporary folder of the test."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("MUSICGEN_URL", raising=False)
    found = default_data_dir()
    assert found.is_relative_to(tmp_path)
    found.mkdir()
    return found


async def answer_of(server: BaseTestServer) -> Any:
    """What a client command gets from a fake gateway."""
    return await answer_at(str(server.make_url("")))


async def answer_at(url: str) -> Any:
    async with gateway_client(GatewayTarget(url)) as client:
        return await client.request("GET", "/")


def test_the_default_gateway_is_on_the_default_port() -> None:
    assert gateway_url(GatewayTarget()) == DEFAULT_URL


def test_a_running_up_is_found(data_dir: Path) -> None:
    fake_up(data_dir)
    assert gateway_url(GatewayTarget()) == URLS["gateway"]


def test_a_killed_up_is_ignored(data_dir: Path) -> None:
    fake_up(data_dir, alive=False)
    assert gateway_url(GatewayTarget()) == DEFAULT_URL


def test_an_up_without_a_gateway_is_ignored(data_dir: Path) -> None:
    fake_up(data_dir, "nats", "s3")
    assert gateway_url(GatewayTarget()) == DEFAULT_URL


def test_url_overrides_the_variable_which_overrides_a_running_up(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_up(data_dir)
    monkeypatch.setenv("MUSICGEN_URL", "http://variable:1/")
    assert gateway_url(GatewayTarget()) == "http://variable:1"
    assert gateway_url(GatewayTarget("http://option:2/")) == "http://option:2"


async def test_an_unreachable_gateway_is_reported_with_a_remedy() -> None:
    with pytest.raises(MusicgenError, match=r"No gateway answers at http://127\.0\.0\.1:1\.") as caught:
        await answer_at("http://127.0.0.1:1")
    assert "musicgen up" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (409, '{"title": "Conflict", "detail": "It is finished already."}', "It is finished already."),
        (502, "<html>Bad gateway</html>", "The gateway answered 502"),
        (500, "[]", "The gateway answered 500"),
        (500, "", "The gateway answered 500"),
        (404, '{"title": "Not Found"}', "The gateway answered 404"),
        (422, '{"detail": "Too loud.", "errors": ["loud"]}', r"^Too loud\.$"),
    ],
)
async def test_errors_show_the_message_of_the_gateway(status: int, body: str, words: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    app = web.Application()
    app.router.add_get("/", handler)
    async with TestServer(app) as server:
        with pytest.raises(MusicgenError, match=words):
            await answer_of(server)


async def test_the_api_key_of_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def echo_key(request: web.Request) -> web.Response:
        return web.json_response(request.headers.get("Authorization"))

    app = web.Application()
    app.router.add_get("/", echo_key)
    async with TestServer(app) as server:
        for key, header in (("", None), ("k" * 16, "Bearer " + "k" * 16)):
            monkeypatch.setenv("MUSICGEN_API_KEY", key)
            assert await answer_of(server) == header


async def test_a_missing_api_key_is_reported() -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"detail": "An API key is needed."}, status=401)

    app = web.Application()
    app.router.add_get("/", refuse)
    async with TestServer(app) as server:
        with pytest.raises(MusicgenError, match="set MUSICGEN_API_KEY"):
            await answer_of(server)


def test_data_dir_overrides_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_up(tmp_path)
    monkeypatch.setenv("MUSICGEN_URL", "http://variable:1/")
    assert gateway_url(GatewayTarget(data_dir=tmp_path)) == URLS["gateway"]


def test_a_data_folder_without_a_running_up_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(MusicgenError, match="No `musicgen up` with a gateway runs on") as caught:
        gateway_url(GatewayTarget(data_dir=tmp_path / "elsewhere"))
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///",
        "http:",
        "https://:8000",
        "127.0.0.1:8000",
        "//host",
        "ftp://host",
        "http://host:99999",
        "http://host:port",
        "http://[::1",
        "http://host/api/v1",
        "http://host//",
        "http://host/?key=1",
        "http://host#top",
        "http://user:secret@host",
        "http://a b/",
        "http://\n/",
    ],
)
async def test_an_invalid_gateway_url_is_rejected_without_its_password(url: str) -> None:
    with pytest.raises(MusicgenError, match="is not a gateway URL") as caught:
        await answer_at(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://host", "https://host:1/", "http://[::1]:8000", "HTTP://HOST", "http://host/"])
def test_a_gateway_url_has_scheme_host_and_port(url: str) -> None:
    assert gateway_url(GatewayTarget(url)).lower() == url.lower().rstrip("/")


def test_a_user_without_a_home_folder_gets_the_default_port(monkeypatch: pytest.MonkeyPatch) -> None:
    without_home(monkeypatch)
    assert gateway_url(GatewayTarget()) == DEFAULT_URL


@pytest.mark.parametrize("command", ["up", "env", "doctor"])
def test_a_user_without_a_home_folder_is_asked_for_a_data_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    without_home(monkeypatch)
    assert main([command]) == 1
    assert capsys.readouterr().err == (
        f"musicgen {command}: This user has no home folder. Give a folder with --data-dir, or set HOME.\n"
    )


@pytest.mark.parametrize("key", ["two\nlines", "a key", "schlüssel", "\x1b[2J"])
async def test_an_invalid_api_key_is_rejected_and_not_shown(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("MUSICGEN_API_KEY", key)
    with pytest.raises(MusicgenError, match="MUSICGEN_API_KEY contains a character") as caught:
        await answer_at("http://127.0.0.1:1")
    assert key not in str(caught.value)


@pytest.mark.parametrize("body", ["<html>hello</html>", "[]", "null", "{}", '{"jobs": [{}], "total": 1}'])
async def test_an_answer_in_another_format_is_one_sentence_with_a_remedy(body: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=body)

    app = web.Application()
    app.router.add_get("/api/v1/jobs", handler)
    async with TestServer(app) as server:
        with pytest.raises(MusicgenError, match=r"[Cc]heck that .* gateway"):
            async with gateway_client(GatewayTarget(str(server.make_url("")))) as client:
                await client.list_jobs()


async def test_a_server_that_does_not_speak_http_is_one_sentence() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"INFO {}\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(MusicgenError, match="is not a gateway"):
            await answer_at(f"http://127.0.0.1:{port}")
