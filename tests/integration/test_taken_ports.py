"""Another program takes a port after it was chosen and before the child binds it."""

import dataclasses
import io
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import pytest
from msgspec.structs import replace
from rich.console import Console

from deploy.stack.child import ChildFailedError
from deploy.stack.credentials import Credentials, load_credentials
from deploy.stack.embedded_servers import nats_server, s3_server
from deploy.stack.ports import LOOPBACK, free_ports
from deploy.stack.supervisor import Supervisor
from shared.settings import Settings, load_settings
from shared.storage import Storage

# The options for the ports of SeaweedFS; other gRPC ports derive from the HTTP ports.
S3_PORTS = ("s3.port", "s3.port.grpc", "master.port", "volume.port", "filer.port", "admin.port", "admin.port.grpc")


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    return load_credentials(tmp_path)


@pytest.fixture
def settings(credentials: Credentials) -> Settings:
    keys = credentials.s3_keys["operator"]
    return load_settings({"S3_ACCESS_KEY": keys.access_key, "S3_SECRET_KEY": keys.secret_key})


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
async def supervisor(tmp_path: Path, said: io.StringIO) -> AsyncIterator[Supervisor]:
    made = Supervisor(tmp_path, Console(file=said, width=200))
    yield made
    await made.stop()


def occupied(port: int) -> socket.socket:
    return socket.create_server((LOOPBACK, port))


async def test_nats_starts_on_another_port(
    tmp_path: Path, credentials: Credentials, supervisor: Supervisor, said: io.StringIO
) -> None:
    (port,) = free_ports(1)
    wanted = nats_server(tmp_path, port, credentials)
    with occupied(port):
        (spec,) = await supervisor.start(wanted)
        client = await nats.connect(spec.urls[0], user="operator", password=credentials.nats_passwords["operator"])
        await client.jetstream().account_info()
        await client.close()
    assert spec.ports != wanted.ports
    assert said.getvalue().count("\n") == 2
    assert f"! nats cannot use port {port}: another program has taken it; trying another one" in said.getvalue()


async def test_another_nats_server_is_not_mistaken_for_the_child(
    tmp_path: Path, credentials: Credentials, supervisor: Supervisor
) -> None:
    (port,) = free_ports(1)
    (first,) = await supervisor.start(nats_server(tmp_path, port, credentials))
    (tmp_path / "second").mkdir()
    (second,) = await supervisor.start(nats_server(tmp_path / "second", port, credentials))
    assert first.ports == (port,)
    assert second.ports != first.ports


@pytest.mark.parametrize("option", S3_PORTS)
async def test_s3_starts_on_other_ports_whichever_one_is_taken(
    tmp_path: Path, credentials: Credentials, settings: Settings, supervisor: Supervisor, option: str
) -> None:
    wanted = s3_server(tmp_path, free_ports(1)[0], credentials, settings)
    (port,) = (int(each.partition("=")[2]) for each in wanted.argv if each.startswith(f"-{option}="))
    assert port in wanted.ports
    with occupied(port):
        (spec,) = await supervisor.start(wanted)
        await Storage(replace(settings, s3_endpoint=spec.urls[0])).check()


async def test_a_fixed_port_that_is_taken_is_one_line(
    tmp_path: Path, credentials: Credentials, supervisor: Supervisor
) -> None:
    (port,) = free_ports(1)
    with occupied(port), pytest.raises(ChildFailedError) as caught:
        await supervisor.start(dataclasses.replace(nats_server(tmp_path, port, credentials), with_other_ports=None))
    assert str(caught.value) == f"nats cannot use port {port}: another program has taken it"
