"""Listening for others without keys is refused, or announced."""

import os
import signal
import subprocess
import sys

import pytest

from deploy.stack.ports import free_ports
from gateway.binding import check_binding, is_loopback
from gateway.keys import ApiKeys
from gateway.services import Services
from shared.errors import SettingsError
from shared.settings import load_settings
from tests.conftest import ROOT
from tests.unit.gateway.conftest import KEYS, Api
from tests.unit.gateway.samples import DAW, bearer


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
def test_only_this_machines_own_addresses_are_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


@pytest.mark.parametrize("environment", [{}, {"GATEWAY_ALLOW_OPEN": "0"}, {"GATEWAY_ALLOW_OPEN": "false"}])
def test_open_to_others_is_refused_with_the_ways_out(environment: dict[str, str]) -> None:
    settings = load_settings({"GATEWAY_HOST": "0.0.0.0"} | environment)
    with pytest.raises(SettingsError) as caught:
        check_binding(settings, ApiKeys([]))
    for way in ("API_KEYS", "127.0.0.1", "GATEWAY_ALLOW_OPEN=1"):
        assert way in str(caught.value)


def test_with_keys_and_on_loopback_nothing_is_asked() -> None:
    check_binding(load_settings({"GATEWAY_HOST": "0.0.0.0"}), ApiKeys([("daw", DAW)]))
    check_binding(load_settings({}), ApiKeys([]))


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example", 403),
        ("evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.", 403),
        ("localhost@evil.example", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
async def test_an_open_gateway_answers_to_this_machines_names_only(
    services: Services, api: Api, host: str, status: int
) -> None:
    """Or else a page whose name leads here, by DNS rebinding, would be of the same origin."""
    async with api.get("/api/v1/jobs", headers={"Host": host}) as response:
        assert response.status == status
    services.settings = load_settings(KEYS | {"GATEWAY_ALLOW_OPEN": "1"})
    async with api.get("/api/v1/jobs", headers={"Host": host}) as response:
        assert response.status == 200


async def test_with_a_key_the_name_does_not_matter(keyed: Api) -> None:
    async with keyed.get("/api/v1/jobs", headers={"Host": "music.example.com", **bearer(DAW)}) as response:
        assert response.status == 200


def gateway(**environment: str) -> "subprocess.Popen[str]":
    (port,) = free_ports(1)
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "gateway"],
        env=os.environ | KEYS | {"GATEWAY_HOST": "0.0.0.0", "GATEWAY_PORT": str(port)} | environment,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_process_ends_with_the_reason() -> None:
    with gateway() as process:
        _, text = process.communicate(timeout=30)
    assert process.returncode == 1
    assert text.startswith("musicgen gateway: GATEWAY_HOST is 0.0.0.0")


def test_the_process_that_may_be_open_says_so_before_it_listens() -> None:
    with gateway(GATEWAY_ALLOW_OPEN="1") as process:
        assert process.stderr is not None
        first, second = process.stderr.readline(), process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert "THIS GATEWAY IS OPEN" in first
    assert "listening" in second
