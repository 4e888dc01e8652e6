"""Which workers there are, as `musicgen doctor` sees them: asked of the gateway, or heard on NATS without one."""

import asyncio
import os
from contextlib import suppress
from typing import Any

import aiohttp
import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from deploy.cli.client import KEY, bearer
from shared import subjects
from shared.messages import UNDECODABLE, WorkerInfo, WorkerState
from shared.nats_servers import parse_servers

# A little longer than the time between two announcements of a worker.
LISTEN = 2.5

_decode = msgspec.json.Decoder(WorkerInfo).decode


async def workers_of_gateway(url: str) -> list[WorkerInfo] | None:
    """What the gateway at `url` tells; None if none answers there, or not without another API key."""
    timeout = aiohttp.ClientTimeout(total=5)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=bearer(os.environ.get(KEY, ""))) as session,
            session.get(f"{url.rstrip('/')}/health") as response,
        ):
            body: dict[str, Any] = await response.json(content_type=None)
            return msgspec.convert(body["workers"], list[WorkerInfo])
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
        return None


async def workers_on_nats(url: str) -> list[WorkerInfo] | None:
    """The workers that announce themselves there; None if NATS is away, or this user may not hear them."""
    heard: dict[str, WorkerInfo] = {}
    refused = asyncio.Event()

    async def take(message: Msg) -> None:
        with suppress(*UNDECODABLE):
            worker = _decode(message.data)
            heard[worker.worker_id] = worker

    async def note(error: Exception) -> None:
        refused.set()

    client = Client()
    try:
        async with asyncio.timeout(LISTEN + 3):
            await client.connect(connect_timeout=2, error_cb=note, **parse_servers(url).connect_options(client))
            await client.subscribe(subjects.ALL_WORKERS, cb=take)
            with suppress(TimeoutError):
                await asyncio.wait_for(refused.wait(), LISTEN)
    except (nats.errors.Error, OSError, TimeoutError):
        return None
    finally:
        await client.close()
    return None if refused.is_set() else list(heard.values())


def describe(workers: list[WorkerInfo]) -> tuple[bool | None, str, str]:
    """Whether a model is served, what to say of it, and the remedy."""
    ready = [worker for worker in workers if worker.state is WorkerState.READY]
    if ready:
        served = ", ".join(sorted({f"{worker.model} on {worker.device}" for worker in ready}))
        return True, f"{len(ready)} ready: {served}", ""
    failed = next((worker for worker in workers if worker.state is WorkerState.FAILED), None)
    if failed:
        return False, f"no worker serves a model: {failed.message}", failed.remedy or "Look at the worker's log."
    if workers:
        return None, f"no worker serves a model yet: {workers[0].message}", "Wait until it is ready."
    remedy = "Start one with `musicgen worker`, or `musicgen up` without --no-worker."
    return False, "no worker serves a model: jobs stay queued", remedy
