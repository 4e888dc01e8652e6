"""`musicgen drain` and `musicgen undrain`: workers that finish their jobs and take no more, until they may again."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import nats.errors

from deploy.cli.admin_connection import admin_environment, connected_bus
from shared import subjects
from shared.bus import AWAY, Bus
from shared.errors import MusicgenError, UnavailableError
from shared.messages import encode
from shared.worker_info import DrainRequest, WorkerInfo, WorkerState

# Seconds without a further answer after which all workers have answered.
SILENCE = 0.5
# Seconds between two looks at what a worker still runs.
LOOK_INTERVAL = 0.5

_decode_info = msgspec.json.Decoder(WorkerInfo).decode


class _Metadata(msgspec.Struct):
    worker_id: str


class _Ping(msgspec.Struct):
    """An answer to $SRV.PING (ADR-32 of NATS)."""

    id: str
    metadata: _Metadata


_decode_ping = msgspec.json.Decoder(_Ping).decode


class FoundWorker(NamedTuple):
    """A worker that answers: its id, and that of its micro service."""

    worker_id: str
    service_id: str


async def drain(name: str, data_dir: Path | None, *, end: bool) -> None:
    """Drain workers, and wait until their jobs are done. If the command ends early, they go on.

    Args:
        name: a worker's id, or a host.
        data_dir: of an `up`; None is NATS_URL.
        end: whether the workers' processes end then.

    Raises:
        MusicgenError: if there is no such worker.
        UnavailableError: if NATS does not answer.
    """
    async with connected_bus(admin_environment(data_dir)) as bus:
        workers = await find_workers(bus, name)
        await asyncio.gather(*(_drain(bus, worker, "end" if end else "drain") for worker in workers))


async def undrain(name: str, data_dir: Path | None) -> None:
    """Let workers take jobs again; otherwise as `drain`."""
    async with connected_bus(admin_environment(data_dir)) as bus:
        for worker in await find_workers(bus, name):
            info = await _ask(bus, worker, "undrain")
            print(f"{worker.worker_id} takes jobs again; it is {info.state.value}.")


async def find_workers(bus: Bus, name: str) -> Sequence[FoundWorker]:
    """The workers with this id, or on this host.

    Raises:
        MusicgenError: if there is none.
    """
    inbox = bus.client.new_inbox()
    answers = await bus.client.subscribe(inbox)
    await bus.client.publish("$SRV.PING.musicgen-worker", reply=inbox)
    found = []
    with suppress(nats.errors.TimeoutError):
        while (message := await answers.next_msg(SILENCE)).data:  # the broker's "no responders" is empty
            ping = _decode_ping(message.data)
            found.append(FoundWorker(ping.metadata.worker_id, ping.id))
    await answers.unsubscribe()
    workers = [each for each in found if name in (each.worker_id, each.worker_id.rpartition("-")[0])]
    if not workers:
        known = ", ".join(sorted(each.worker_id for each in found)) or "none"
        raise MusicgenError(f"There is no worker {name}, nor one on such a host. Workers that answer: {known}.")
    return sorted(workers)


async def _drain(bus: Bus, worker: FoundWorker, action: Literal["drain", "end"]) -> None:
    info = await _ask(bus, worker, action)
    print(f"{worker.worker_id} takes no more jobs; it has {info.running}.", flush=True)
    while (current := await _state(bus, worker)) is not None:
        if current.state not in (WorkerState.DRAINING, WorkerState.STOPPING):
            raise MusicgenError(f"{worker.worker_id} takes jobs again, because another command undrained it.")
        if current.running == 0 and action == "drain":
            print(f"{worker.worker_id} is drained. `musicgen undrain {worker.worker_id}` lets it take jobs.")
            return
        await asyncio.sleep(LOOK_INTERVAL)
    print(f"{worker.worker_id} has ended.")


async def _ask(bus: Bus, worker: FoundWorker, action: Literal["drain", "end", "undrain"]) -> WorkerInfo:
    """Send a request to drain; returns the worker's state after it."""
    try:
        subject = subjects.drain_subject(worker.worker_id)
        return _decode_info((await bus.client.request(subject, encode(DrainRequest(action)), timeout=5)).data)
    except nats.errors.NoRespondersError as error:
        raise MusicgenError(
            f"{worker.worker_id} takes no such request: it just ended, or is of an earlier version, or the NATS server "
            "needs the new nats.conf."
        ) from error
    except AWAY as error:
        raise UnavailableError(f"{worker.worker_id} does not answer: {error!r}") from error


async def _state(bus: Bus, worker: FoundWorker) -> WorkerInfo | None:
    """The worker's state; None if its process has ended."""
    subject = subjects.state_subject("worker", worker.service_id)
    try:
        return _decode_info((await bus.client.request(subject, timeout=5)).data)
    except nats.errors.NoRespondersError:
        return None
    except AWAY as error:
        raise UnavailableError(f"{worker.worker_id} does not answer: {error!r}") from error
