"""Gateways and workers as NATS micro services, asked in the protocol of the nats CLI (ADR-32)."""

import json
from contextlib import suppress
from typing import Any

import nats.errors
from nats.aio.client import Client

from tests.integration.system import System, eventually
from tests.servers import Server


async def ask(client: Client, subject: str) -> list[dict[str, Any]]:
    """Send one question to all services; collect the answers until none comes for a while, as the nats CLI does."""
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    await client.publish(subject, reply=inbox)
    found = []
    with suppress(nats.errors.TimeoutError):
        while (message := await answers.next_msg(0.5)).data:  # the broker's "no responders" is empty
            found.append(json.loads(message.data))
    await answers.unsubscribe()
    return found


async def names(client: Client) -> list[str]:
    return sorted(each["name"] for each in await ask(client, "$SRV.PING"))


async def until_named(client: Client, *expected: str) -> None:
    async def are_named() -> bool:
        with suppress(nats.errors.Error):
            return await names(client) == list(expected)
        return False

    await eventually(are_named, f"{expected} answer")


async def test_each_gateway_and_worker_answers_once(system: System) -> None:
    await system.gateway()
    await system.gateway()
    await system.worker()
    client = await system.nats()
    assert await names(client) == ["musicgen-gateway", "musicgen-gateway", "musicgen-worker"]
    (pinged,) = await ask(client, "$SRV.PING.musicgen-worker")
    assert pinged["type"] == "io.nats.micro.v1.ping_response"
    assert (pinged["metadata"]["model"], pinged["metadata"]["models"]) == ("starter", "starter")
    (again,) = await ask(client, f"$SRV.PING.musicgen-worker.{pinged['id']}")
    assert again == pinged


async def test_statistics_tell_the_load_of_a_worker(system: System) -> None:
    api = await system.gateway()
    await system.worker(MAX_CONCURRENT_JOBS="2")
    client = await system.nats()
    running = await api.generate("slow", 60.0)
    await api.until(running, "processing")
    (stats,) = await ask(client, "$SRV.STATS.musicgen-worker")
    assert stats["type"] == "io.nats.micro.v1.stats_response"
    (endpoint,) = stats["endpoints"]
    load = endpoint["data"]
    assert (load["state"], load["slots"], load["busy"]) == ("ready", 2, 1)
    assert load["worker_id"] == stats["metadata"]["worker_id"]


async def test_the_endpoint_that_info_names_returns_the_state(system: System) -> None:
    await system.gateway()
    client = await system.nats()
    (info,) = await ask(client, "$SRV.INFO.musicgen-gateway")
    assert info["type"] == "io.nats.micro.v1.info_response"
    (endpoint,) = info["endpoints"]
    state = json.loads((await client.request(endpoint["subject"], timeout=5)).data)
    assert state["components"]["nats"]["status"] == "healthy"
    assert state["queue"] == {"depth": 0, "oldest_seconds": 0.0}


async def test_services_answer_once_after_a_restart_of_nats(
    isolated: System, nats_process: tuple[Server, dict[str, str]]
) -> None:
    await isolated.gateway()
    await isolated.worker()
    nats_process[0].kill()
    await nats_process[0].start_again()
    await until_named(await isolated.nats(), "musicgen-gateway", "musicgen-worker")
