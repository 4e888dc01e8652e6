"""Malformed requests and errors outside the handlers, on a real socket: problem details too."""

import http.client
import io
from typing import Any, NamedTuple

import msgspec
import pytest

from gateway import metrics
from gateway.services import Services
from tests.unit.gateway.raw import LIVE, POST, Connect, RawConnection, Serve, is_well


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def problem(self) -> dict[str, Any]:
        """The decoded problem details, after a check of the headers."""
        assert self.headers["Content-Type"] == "application/problem+json"
        assert self.headers["Cache-Control"] == "no-store"
        assert int(self.headers["Content-Length"]) == len(self.body)
        found: dict[str, Any] = msgspec.json.decode(self.body)
        assert found["status"] == self.status
        assert found["title"]
        return found


async def answer(client: RawConnection, *, has_body: bool = True) -> Answer:
    """Read the next response, and leave the bytes after it."""
    head = io.BytesIO(await client.head())
    status = int(head.readline().split()[1])
    headers = http.client.parse_headers(head)
    size = int(headers.get("Content-Length", 0)) if has_body else 0
    return Answer(status, headers, await client.exactly(size))


UNREADABLE = [
    (b"GET /health/live HTTP/1.1\r\n\r\n", 400, "Host"),
    (LIVE + b"Host: other\r\n\r\n", 400, "Host"),
    (b"hello\r\n\r\n", 400, "GET or POST"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "http://"),
    (b"\x00" * 20, 400, "GET or POST"),
    (b"GET / HTTP/9.9\r\n\r\n", 400, "HTTP/1.1"),
    (b"GET / FTP/1.1\r\n\r\n", 400, "HTTP/1.1"),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "HTTP/1.1"),
    (b"GET nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "path"),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400, "cannot be read"),
    (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n", 400, "cannot be read"),
    (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "Transfer-Encoding"),
    (POST + b"Content-Length: -1\r\n\r\n", 400, "Content-Length"),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414, "Shorten"),
    (LIVE + b"X: " + b"x" * 17_000 + b"\r\n\r\n", 431, "Send fewer"),
    (LIVE + b"X: 1\r\n" * 200 + b"\r\n", 431, "128"),
    (LIVE + (b"X: " + b"x" * 8000 + b"\r\n") * 100, 431, "32768"),
]


@pytest.mark.parametrize(("sent", "status", "word"), UNREADABLE)
async def test_a_malformed_request_gets_a_problem_and_closes_the_connection(
    serve: Serve, connect: Connect, sent: bytes, status: int, word: str
) -> None:
    port = await serve()
    client = await connect(port)
    await client.send(sent + LIVE + b"\r\n")
    found = await answer(client)
    assert found.status == status
    assert word in found.problem()["detail"]
    assert await client.rest() == b""
    assert await is_well(port)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"HEAD /health/live HTTP/1.1\r\n\r\n", 400),
        (b"HEAD /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"HEAD / HTTP/1.1\r\nHost: localhost\r\n" + (b"X: " + b"x" * 8000 + b"\r\n") * 100, 431),
    ],
)
async def test_the_response_to_a_malformed_head_request_has_no_body(
    serve: Serve, connect: Connect, sent: bytes, status: int
) -> None:
    client = await connect(await serve())
    await client.send(sent)
    found = await answer(client, has_body=False)
    assert (found.status, await client.rest()) == (status, b"")


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/health/live", "Expect: a-miracle\r\n", 417),
        ("POST", "/api/v1/generate", "Expect: a-miracle\r\nContent-Length: 2\r\n", 417),
        ("GET", "/nothing", "Expect: a-miracle\r\n", 417),
        ("GET", "/nothing", "", 404),
        ("OPTIONS", "*", "", 404),
        ("TRACE", "/health/live", "", 405),
        ("POST", "/api/v1/generate", "Content-Length: 2\r\n", 415),
        ("POST", "/api/v1/generate", "Content-Type: application/json\r\nContent-Length: 2\r\n", 422),
    ],
)
async def test_a_refused_request_gets_a_problem_and_keeps_the_connection(
    serve: Serve, connect: Connect, method: str, path: str, headers: str, status: int
) -> None:
    client = await connect(await serve())
    body = b"{}" if "Content-Length" in headers else b""
    await client.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode() + body)
    found = await answer(client)
    assert found.status == status
    assert found.problem()["request_id"] == found.headers["X-Request-ID"]
    await client.send(LIVE + b"\r\n")
    assert (await answer(client)).status == 200


@pytest.mark.parametrize(("path", "headers", "status"), [("/nothing", "", 404), ("/", "Expect: a-miracle\r\n", 417)])
async def test_the_response_to_a_refused_head_request_has_no_body(
    serve: Serve, connect: Connect, path: str, headers: str, status: int
) -> None:
    client = await connect(await serve())
    await client.send(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode() + LIVE + b"\r\n")
    found = await answer(client, has_body=False)
    assert (found.status, found.headers["Content-Type"]) == (status, "application/problem+json")
    assert (await answer(client)).status == 200


async def test_an_error_outside_the_handlers_is_a_generic_500(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the password is hunter2")

    client = await connect(await serve())
    monkeypatch.setattr(metrics, "observe_request", fail)
    await client.send(LIVE + b"Accept: text/html\r\n\r\n")
    found = await answer(client)
    assert found.status == 500
    assert "request_id" in found.problem()["detail"]
    assert b"hunter2" not in found.body
    assert await client.rest() == b""


async def test_expect_100_continue_is_supported(serve: Serve, connect: Connect, services: Services) -> None:
    client = await connect(await serve())
    await client.send(POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert b" 100 " in await client.head()
    await client.send(b"{}")
    assert (await answer(client)).status == 422
