"""One webhook over real sockets, with host names that resolve as an attacker wants."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer
from musicgen_client import verify_webhook
from standardwebhooks import Webhook

from gateway.webhooks import sender as module
from gateway.webhooks.addresses import NOT_PUBLIC, AddressPolicy, parse_networks
from gateway.webhooks.deliveries import EventDelivery, JobDeliveries, Outcome
from gateway.webhooks.secrets import WebhookSecrets
from gateway.webhooks.sender import open_sender
from shared.messages import event_of
from tests.unit.gateway.samples import NOON, completed, job_id

OLD, NEW = b"o" * 32, b"n" * 32
LOOPBACK = AddressPolicy(parse_networks("127.0.0.1/32"))
EVENT = event_of(completed(1), 7)


class Resolver(AbstractResolver):
    """Answers each lookup with the next addresses."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        addresses = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        kinds = {each: socket.AF_INET6 if ":" in each else socket.AF_INET for each in addresses}
        return [
            ResolveResult(hostname=host, host=each, port=port, family=kinds[each], proto=0, flags=0)
            for each in addresses
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def receiver(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[tuple[str, list[Any]]]:
    """A server on loopback, its URL and the requests that it got."""
    seen: list[Any] = []

    async def take(request: web.Request) -> web.StreamResponse:
        seen.append((request.path, dict(request.headers), await request.read()))
        return await answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    async with TestServer(app) as server:
        yield str(server.make_url("/hook")), seen


async def send(url: str, policy: AddressPolicy = LOOPBACK, resolver: AbstractResolver | None = None) -> Outcome:
    target = JobDeliveries(job_id=job_id(1), owner="daw", url=url, deliveries=(), next_at=NOON)
    async with open_sender(WebhookSecrets({"daw": [OLD, NEW]}), policy, resolver) as sender:
        return await sender.send(target, EventDelivery(event=EVENT))


async def ok(request: web.Request) -> web.Response:
    return web.Response(text="thanks")


@pytest.mark.parametrize("secret", [OLD, NEW])
async def test_both_secrets_verify_with_the_reference_library_and_our_client(secret: bytes) -> None:
    async with receiver(ok) as (url, seen):
        assert await send(url) == Outcome(http_status=200)
    (_, headers, body), text = seen[0], base64.b64encode(secret).decode()
    payload = Webhook(f"whsec_{text}").verify(body, {name.lower(): value for name, value in headers.items()})
    assert payload == verify_webhook(body, headers, f"whsec_{text}")
    assert payload["type"] == "job.completed"
    assert payload["timestamp"] == "2026-01-01T12:00:00.000Z"
    assert (payload["data"]["job_id"], payload["data"]["seq"]) == (job_id(1), 7)
    assert headers["webhook-id"] == f"msg_{job_id(1)}_7"


async def test_an_altered_body_does_not_verify() -> None:
    async with receiver(ok) as (url, seen):
        await send(url)
    _, headers, body = seen[0]
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(f"whsec_{base64.b64encode(NEW).decode()}").verify(
            body.replace(b"completed", b"cancelled"), {name.lower(): value for name, value in headers.items()}
        )


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["0.0.0.0"], ["169.254.169.254"], ["10.0.0.1", "127.0.0.1"]],
)
async def test_a_name_with_a_private_address_is_refused_and_nothing_is_dialled(addresses: list[str]) -> None:
    async with receiver(ok) as (url, seen):
        port = url.split(":")[2].split("/")[0]
        outcome = await send(f"https://evil.example:{port}/", AddressPolicy(()), Resolver(addresses))
    assert outcome.http_status is None
    assert seen == []
    if len(addresses) == 1:
        assert outcome.error == NOT_PUBLIC


async def test_a_name_that_is_rebound_between_two_deliveries_is_refused() -> None:
    """The address counts that is dialled, whatever an earlier lookup said."""
    async with receiver(ok) as (url, seen):
        port = url.split(":")[2].split("/")[0]
        resolver = Resolver(["127.0.0.1"], ["127.0.0.2"])
        for expected in (Outcome(http_status=200), Outcome(error=NOT_PUBLIC)):
            assert await send(f"http://evil.example:{port}/", LOOPBACK, resolver) == expected
    assert len(seen) == 1


@pytest.mark.parametrize("spelling", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "0"])
async def test_other_spellings_of_loopback_are_refused(spelling: str) -> None:
    async with receiver(ok) as (url, seen):
        port = url.split(":")[2].split("/")[0]
        outcome = await send(f"https://{spelling}:{port}/", AddressPolicy(()))
    assert outcome.http_status is None
    assert seen == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status: int) -> None:
    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with receiver(redirect) as (url, seen):
        outcome = await send(url)
    assert (outcome.http_status, outcome.is_success) == (status, False)
    assert [path for path, *_ in seen] == ["/hook"]


async def test_an_endless_answer_is_not_read() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65_536)

    async with receiver(endless) as (url, _), asyncio.timeout(10):
        assert await send(url) == Outcome(http_status=200)


async def test_a_slow_receiver_is_left_after_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.2)

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async with receiver(slow) as (url, _), asyncio.timeout(10):
        assert "did not answer" in ((await send(url)).error or "")


async def test_huge_headers_and_garbage_are_failures() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(garbage.pop())
        writer.close()

    garbage = [b"\x00" * 1000, b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", b""]
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for _ in range(3):
            outcome = await send(f"http://127.0.0.1:{port}/")
            assert (outcome.http_status, outcome.error) == (
                None,
                "The receiver broke off, or did not answer with HTTP.",
            )
    assert (await send(f"http://127.0.0.1:{port}/")).error is not None


async def test_a_key_whose_secret_was_removed_gets_nothing() -> None:
    target = JobDeliveries(job_id=job_id(1), owner="web", url="http://127.0.0.1:1/", deliveries=(), next_at=NOON)
    async with open_sender(WebhookSecrets({"daw": [OLD]}), LOOPBACK) as sender:
        assert "WEBHOOK_SECRETS" in ((await sender.send(target, EventDelivery(event=EVENT))).error or "")
