"""Gateways and workers as server processes; their own endpoints say when they are ready."""

import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from deploy.stack.child import ChildSpec
from deploy.stack.ports import LOOPBACK, free_ports
from tests.conftest import ROOT
from tests.servers import Server

# Two seconds instead of half a minute, in the same proportions.
CONSTANTS: dict[str, Any] = {
    "shared.topology.ACK_WAIT": 2.0,
    "worker.lease.HEARTBEAT": 0.5,
    "worker.lease.MAX_RECORD_IDLE": 0.3,
    "worker.claim.TAKEOVER_DELAY": 1.0,
    "worker.engine.host.engine_host.BACKOFF": [0.1],
    "gateway.jobs.dead_letters.RECHECK_DELAY": 1.0,
    "gateway.jobs.reconciler.INTERVAL": 0.5,
    "gateway.jobs.reconciler.STALL_TIME": 3.0,
}


def gateway_server(
    folder: Path, number: int, environment: dict[str, str], constants: dict[str, Any]
) -> tuple[Server, str]:
    """A gateway that is not started yet, and its URL."""
    (port,) = free_ports(1)
    own = {"GATEWAY_PORT": str(port), "SHUTDOWN_GRACE": "1"}
    ready = _answers(port, "/health/ready", "200 OK")
    return _part("gateway", folder, number, own | environment, constants, ready), f"http://{LOOPBACK}:{port}"


def worker_server(folder: Path, number: int, environment: dict[str, str], constants: dict[str, Any]) -> Server:
    """A worker that is not started yet; it is ready when its engine is."""
    (port,) = free_ports(1)
    own = {
        "WORKER_METRICS_PORT": str(port),
        "MUSICGEN_ENGINE": "tests.engines:load",
        "MAX_CONCURRENT_JOBS": "2",
        "SHUTDOWN_GRACE": "1",
    }
    ready = _answers(port, "/metrics", "\nmusicgen_engine_up 1.0")
    return _part("worker", folder, number, own | environment, constants, ready)


def _part(
    role: str,
    folder: Path,
    number: int,
    environment: dict[str, str],
    constants: dict[str, Any],
    is_ready: Callable[[], Awaitable[bool]],
) -> Server:
    env = os.environ | {"PYTHONPATH": str(ROOT), "FAULTS_CONSTANTS": json.dumps(CONSTANTS | constants)} | environment
    argv = [sys.executable, "-m", "tests.faults.run_service", role]
    return Server(ChildSpec(f"{role}-{number}", role, argv, env, [], is_ready), folder)


def _answers(port: int, path: str, sign: str) -> Callable[[], Awaitable[bool]]:
    async def answers() -> bool:
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode())
            text = (await reader.read()).decode()
            writer.close()
        except OSError:
            return False
        return sign in text

    return answers


async def metric(part: Server, name: str, **labels: str) -> float | None:
    """The value of a process's metric with these labels, summed over others; None if there is no such series."""
    port = part.environment.get("WORKER_METRICS_PORT") or part.environment["GATEWAY_PORT"]
    async with aiohttp.ClientSession() as http, http.get(f"http://{LOOPBACK}:{port}/metrics") as response:
        text = await response.text()
    found = [
        float(value)
        for series, value in re.findall(rf"^{name}({{.*}})? (\S+)$", text, re.MULTILINE)
        if all(f'{label}="{wanted}"' in series for label, wanted in labels.items())
    ]
    return sum(found) if found else None
