"""NATS over TLS: the password is sent only to a server with a trusted certificate."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.stack.credentials import load_credentials
from deploy.stack.embedded_servers import nats_server
from deploy.stack.ports import LOOPBACK, free_ports
from shared.bus import Bus, open_bus
from shared.lifecycle import end
from tests.conftest import ROOT
from tests.integration.system import eventually
from tests.servers import Server

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")


@pytest.fixture
async def url(tmp_path: Path, certificate: Path) -> AsyncIterator[str]:
    """The URL of a nats-server with nats.conf and the TLS lines of docs/deployment.md."""
    text = (ROOT / "docs" / "deployment.md").read_text()
    lines = next(line for line in text.splitlines() if line.startswith("tls {"))
    lines = lines.replace("/etc/nats", str(certificate.parent))
    conf = tmp_path / "nats.conf"
    conf.write_text(f"{(ROOT / 'nats.conf').read_text()}\n{lines}\n")
    credentials, (port,) = load_credentials(tmp_path), free_ports(1)
    spec = nats_server(tmp_path, port, credentials)

    async def listens() -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.close()
            return True
        return False

    argv = [spec.argv[0], "-c", str(conf), *spec.argv[3:]]
    server = Server(replace(spec, argv=argv, is_ready=listens), tmp_path)
    await server.start_again()
    yield f"tls://gateway:{credentials.nats_passwords['gateway']}@{LOOPBACK}:{port}"
    server.stop()


@asynccontextmanager
async def connecting(url: str) -> AsyncIterator[Bus]:
    async with open_bus() as bus:
        running = asyncio.create_task(bus.run(url, "test"))
        yield bus
        await end((running,))


async def test_nats_with_a_trusted_certificate_is_used(
    url: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with connecting(url) as bus:

        async def ready() -> bool:
            return bus.is_ready

        await eventually(ready, "the bus connects")
        assert (await bus.js.account_info()).streams == 0


async def test_nats_with_another_certificate_is_refused_with_the_reason(url: str) -> None:
    async with connecting(url) as bus:

        async def refused() -> bool:
            return "certificate verify failed" in (bus.last_error or "")

        await eventually(refused, "the reason is reported")
        assert not bus.is_ready


async def test_nats_without_tls_never_gets_the_password_and_is_retried() -> None:
    received: list[bytes] = []
    greeting = set[asyncio.Task[None]]()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Greet like a man in the middle that wants the password: without offering TLS."""
        writer.write(b"INFO " + json.dumps({"auth_required": True, "max_payload": 1 << 20}).encode() + b"\r\n")
        received.append(await reader.read(4096))
        writer.close()
        await writer.wait_closed()

    async def connected_twice() -> bool:
        return len(received) >= 2

    def on_connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting.add(asyncio.create_task(greet(reader, writer)))

    server = await asyncio.start_server(on_connect, LOOPBACK, 0)
    port = server.sockets[0].getsockname()[1]
    async with connecting(f"tls://gateway:s3cr3t@{LOOPBACK}:{port}"):
        await eventually(connected_twice, "the gateway reconnects")
    server.close()
    await asyncio.gather(*greeting, return_exceptions=True)
    assert all(data.startswith(b"\x16") for data in filter(None, received))  # a TLS handshake
    assert b"s3cr3t" not in b"".join(received)
