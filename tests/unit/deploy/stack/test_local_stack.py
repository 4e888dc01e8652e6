"""What the local stack decides before it starts a process."""

import io
import socket
from pathlib import Path

import pytest
from rich.console import Console

from deploy.stack import ports
from deploy.stack.local_stack import LocalStack, StackOptions, _describe_ready
from deploy.stack.ports import LOOPBACK, free_ports
from deploy.stack.supervisor import Supervisor
from shared.errors import MusicgenError, SettingsError
from shared.settings import load_settings


def stack(folder: Path, port: int | None) -> LocalStack:
    console = Console(file=io.StringIO())
    return LocalStack(StackOptions(folder, port, workers=0), Supervisor(folder, console), console)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """The only port in the range; another process may have allocated it."""
    (port,) = free_ports(1)
    monkeypatch.setattr(ports, "_allocated", set())
    monkeypatch.setattr(ports, "PORT_RANGE", [port])
    return port


def test_the_port_given_for_the_gateway_is_allocated(tmp_path: Path, port: int) -> None:
    stack(tmp_path, port)
    assert free_ports(1) == []


def test_the_configured_gateway_port_is_allocated(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_PORT", str(port))
    stack(tmp_path, None)
    assert free_ports(1) == []


def test_a_given_port_that_is_taken_is_rejected(tmp_path: Path) -> None:
    with socket.create_server((LOOPBACK, 0)) as server, pytest.raises(MusicgenError, match="is taken"):
        stack(tmp_path, server.getsockname()[1])


def test_an_open_gateway_is_rejected_before_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_HOST", "0.0.0.0")
    with pytest.raises(SettingsError, match="GATEWAY_ALLOW_OPEN=1"):
        stack(tmp_path, None)
    monkeypatch.setenv("API_KEYS", "daw:" + "k" * 16)
    stack(tmp_path, None)


def test_only_the_gateway_gets_the_api_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "k" * 16
    monkeypatch.setenv("API_KEYS", f"daw:{key}")
    made = stack(tmp_path, None)
    assert key in str(made._gateway("nats://x", {}).env)
    assert key not in str(made._worker(1, "nats://x", {}).env)


def test_with_gpus_each_worker_has_its_own(tmp_path: Path) -> None:
    console = Console(file=io.StringIO())
    options = StackOptions(tmp_path, None, workers=2, gpus=(3, 0))
    made = LocalStack(options, Supervisor(tmp_path, console), console)
    specs = [made._worker(number, "nats://x", {}) for number in (1, 2)]
    assert [spec.env["MUSICGEN_DEVICE"] for spec in specs] == ["cuda:3", "cuda:0"]
    again = specs[0].with_other_ports
    assert again is not None
    assert again().env["MUSICGEN_DEVICE"] == "cuda:3"


def test_models_reach_workers_and_gateway_with_absolute_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKER_MODELS", "large")
    console = Console(file=io.StringIO())
    options = StackOptions(tmp_path, None, workers=1, models=("starter", "./tune", "small"))
    made = LocalStack(options, Supervisor(tmp_path, console), console)
    for spec in (made._worker(1, "nats://x", {}), made._gateway("nats://x", {})):
        found = load_settings(spec.env).models
        assert found == {"starter": "starter", "tune": str(tmp_path / "tune"), "small": "small"}


def test_the_models_of_a_ready_worker_are_told_with_their_states() -> None:
    models = [
        {"name": "tune", "state": "failed"},
        {"name": "starter", "state": "loaded"},
        {"name": "small", "state": "loadable"},
    ]
    worker = {"state": "ready", "device": "cpu", "slots": 8, "models": models}
    told = "tune failed; starter on cpu, 8 at a time in each worker; small on demand"
    assert _describe_ready([{"state": "failed"}, worker]) == told


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("fd00::7", "[fd00::7]"),
    ],
)
def test_the_url_of_the_gateway_is_reachable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, shown: str
) -> None:
    monkeypatch.setenv("GATEWAY_HOST", host)
    monkeypatch.setenv("GATEWAY_ALLOW_OPEN", "1")
    made = stack(tmp_path, None)
    assert made._gateway("nats://x", {}).urls == [f"http://{shown}:{made._gateway_port}"]


async def test_configured_nats_servers_are_passed_on_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = "nats://gateway:pw@one:4222, nats://gateway:pw@two:4222"
    monkeypatch.setenv("NATS_URL", servers)
    url = await stack(tmp_path, None)._nats()
    assert (url("gateway"), url("worker")) == (servers, servers)


def test_one_invalid_nats_server_is_rejected_before_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NATS_URL", "nats://gateway:S3CRET@one:4222, two:4222")
    with pytest.raises(SettingsError, match=r"NATS_URL must be .* Server 2 of 2 is wrong") as caught:
        stack(tmp_path, None)
    assert "S3CRET" not in str(caught.value)
