"""Bind policy and the Host header."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from deploy.stack.ports import free_ports
from gateway.access.api_keys import ApiKeys, load_keys
from gateway.access.bind_policy import check_binding, is_loopback
from gateway.services import Services
from shared.errors import SettingsError
from shared.settings import load_settings
from tests.conftest import ROOT
from tests.unit.gateway.conftest import KEYS, Api
from tests.unit.gateway.raw import Connect, Serve
from tests.unit.gateway.samples import DAW


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("::ffff:10.0.0.1", False),
        ("localhost.example.com", False),
        ("studio.local", False),
        ("127.0.0.1.example.com", False),
        ("2130706433", False),
    ],
)
def test_loopback_addresses_are_recognised(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


@pytest.mark.parametrize("environment", [{}, {"GATEWAY_ALLOW_OPEN": "0"}, {"GATEWAY_ALLOW_OPEN": "false"}])
def test_an_open_gateway_is_refused_with_the_alternatives(environment: dict[str, str]) -> None:
    settings = load_settings({"GATEWAY_HOST": "0.0.0.0"} | environment)
    with pytest.raises(SettingsError) as caught:
        check_binding(settings, ApiKeys([]))
    for way in ("API_KEYS", "127.0.0.1", "GATEWAY_ALLOW_OPEN=1"):
        assert way in str(caught.value)


def test_keys_or_loopback_need_no_confirmation() -> None:
    check_binding(load_settings({"GATEWAY_HOST": "0.0.0.0"}), ApiKeys([("daw", DAW)]))
    check_binding(load_settings({}), ApiKeys([]))


OPEN = {"GATEWAY_ALLOW_OPEN": "1"}
KEYED = {"API_KEYS": f"daw:{DAW}"}
LISTED = {"GATEWAY_HOSTNAMES": "music.lan, gateway"}

# Host headers. A browser sends the name of the page's site, never its address.
LOCAL = ["localhost", "LOCALHOST:8000", "localhost.", "localhost.:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]:8000"]
ADDRESSES = ["192.168.1.5:8000", "0.0.0.0:8000", "[fe80::1]", "[::ffff:10.0.0.1]:8000"]
FOREIGN = [
    "evil.example", "evil.example:8566", "EVIL.example.", "127.0.0.1.evil.example", "localhost.evil.example",
    "evil.example.localhost", "gateway", "gateway:8000", "music.lan", "xn--lcalhost-11a", "2130706433", "127.1",
]  # fmt: skip
MALFORMED = [
    "", "localhost:http", "localhost@evil.example", "evil.example@localhost", "evil.example#@localhost",
    "evil.example, localhost", "localhost evil.example", "[::1", "::1", "[localhost]", "localhost/", "..", "[::1]evil",
]  # fmt: skip


async def status_of(serve: Serve, connect: Connect, request: bytes, **environment: str) -> tuple[int, bytes]:
    """The status and headers that a gateway with these settings returns for raw request bytes."""
    port = await serve(**environment)
    client = await connect(port)
    await client.send(request)
    head = await client.head()
    return int(head.split()[1]), head


def listing(host: str | None, *lines: str) -> bytes:
    return _request("GET /api/v1/jobs HTTP/1.1", host, *lines, "Connection: close")


def generating(host: str) -> bytes:
    body = '{"prompt": "piano"}'
    content = ("Content-Type: application/json", f"Content-Length: {len(body)}")
    return _request("POST /api/v1/generate HTTP/1.1", host, *content, f"Origin: http://{host}") + body.encode()


def connecting(host: str) -> bytes:
    handshake = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13")
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    return _request("GET /ws HTTP/1.1", host, *handshake, key, f"Origin: http://{host}")


def _request(first: str, host: str | None, *lines: str) -> bytes:
    named = () if host is None else (f"Host: {host}",)
    return "\r\n".join((first, *named, *lines, "", "")).encode()


@pytest.mark.parametrize("environment", [{}, OPEN, OPEN | LISTED], ids=["local", "open", "listed"])
@pytest.mark.parametrize("host", [*LOCAL, *ADDRESSES])
async def test_localhost_and_addresses_are_accepted_as_host(
    serve: Serve, connect: Connect, host: str, environment: dict[str, str]
) -> None:
    status, _ = await status_of(serve, connect, listing(host, f"Authorization: Bearer {DAW}"), **environment)
    assert status == 200


@pytest.mark.parametrize("environment", [{}, OPEN], ids=["local", "open"])
@pytest.mark.parametrize("host", [*FOREIGN, *MALFORMED, None])
async def test_other_host_names_are_refused_without_keys(
    serve: Serve, connect: Connect, host: str | None, environment: dict[str, str]
) -> None:
    status, _ = await status_of(serve, connect, listing(host), **environment)
    # aiohttp responds with 400 to some malformed ones.
    assert status in ((403,) if host in FOREIGN else (400, 403))


@pytest.mark.parametrize("environment", [{}, OPEN, OPEN | LISTED], ids=["local", "open", "listed"])
@pytest.mark.parametrize("request_to", [listing, generating, connecting])
async def test_dns_rebinding_is_refused(
    serve: Serve, connect: Connect, request_to: Callable[[str], bytes], environment: dict[str, str]
) -> None:
    status, head = await status_of(serve, connect, request_to("evil.example:8566"), **environment)
    assert status == 403
    assert b"application/problem+json" in head


@pytest.mark.parametrize(("request_to", "expected"), [(listing, 200), (generating, 503), (connecting, 101)])
@pytest.mark.parametrize("host", ["localhost:8000", "192.168.1.5:8000", "music.lan:8000", "MUSIC.lan.", "gateway:8000"])
async def test_the_page_works_under_allowed_host_names(
    serve: Serve, connect: Connect, request_to: Callable[[str], bytes], expected: int, host: str
) -> None:
    """503 means that NATS is away: the Host header was accepted."""
    status, _ = await status_of(serve, connect, request_to(host), **OPEN, **LISTED)
    assert status == expected


@pytest.mark.parametrize(
    ("environment", "status"),
    [
        (KEYED, 200),
        (KEYED | {"GATEWAY_HOSTNAMES": "*"}, 200),
        (KEYED | {"GATEWAY_HOSTNAMES": "music.example.com"}, 200),
        (KEYED | LISTED, 403),
        (OPEN | {"GATEWAY_HOSTNAMES": "*"}, 200),
    ],
)
async def test_with_keys_host_names_are_checked_only_if_configured(
    services: Services, serve: Serve, connect: Connect, environment: dict[str, str], status: int
) -> None:
    services.keys = load_keys(load_settings(KEYS | environment))
    request = listing("music.example.com", f"Authorization: Bearer {DAW}")
    assert (await status_of(serve, connect, request, **environment))[0] == status


async def test_the_host_name_of_the_binding_is_accepted(services: Services, api: Api) -> None:
    services.settings = load_settings(KEYS | OPEN | {"GATEWAY_HOST": "Studio.local"})
    async with api.get("/api/v1/jobs", headers={"Host": "studio.local:8000"}) as response:
        assert response.status == 200


async def test_a_refused_host_name_names_the_setting(api: Api) -> None:
    async with api.get("/api/v1/jobs", headers={"Host": "music.lan:8000"}) as response:
        detail = (await response.json())["detail"]
    assert "'music.lan'" in detail
    assert "GATEWAY_HOSTNAMES" in detail


def gateway(**environment: str) -> "subprocess.Popen[str]":
    (port,) = free_ports(1)
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.cli.main", "gateway"],
        env=os.environ | KEYS | {"GATEWAY_HOST": "0.0.0.0", "GATEWAY_PORT": str(port)} | environment,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_process_exits_with_the_reason() -> None:
    with gateway() as process:
        _, text = process.communicate(timeout=30)
    assert process.returncode == 1
    assert text.startswith("musicgen gateway: GATEWAY_HOST is 0.0.0.0")


def test_an_open_gateway_logs_a_warning_before_it_listens() -> None:
    with gateway(GATEWAY_ALLOW_OPEN="1") as process:
        assert process.stderr is not None
        first, second = process.stderr.readline(), process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert "THIS GATEWAY IS OPEN" in first
    assert "listening" in second
