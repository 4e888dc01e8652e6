"""A worker's parts on a real NATS server, with an engine and a store in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from shared import subjects
from shared.bus import Bus, open_bus
from shared.errors import UnavailableError
from shared.lifecycle import end
from shared.messages import JobRecord, Recipe, job_of, now
from shared.publisher import publish_job
from shared.records import Entry, Records
from shared.storage import Storage, Upload
from shared.topology import ensure_consumer, ensure_streams
from shared.transitions import accepted, claimed
from tests.integration.system import eventually
from worker.claim import Claims
from worker.engine.host.engine_host import EngineHost
from worker.engine.host.engine_job import EngineJob
from worker.engine.interface import EngineSettings, ModelInfo, Samples
from worker.engine.protocol import Chunk, Generated
from worker.lease import Lease
from worker.slots import Slot, SlotCount

JOB_ID = "gen_000000000000"
RECIPE = Recipe(model="starter", prompt="tone", duration=1.0)
RATE = 32_000


class Broker:
    """A connection to NATS, and what the tests do with it."""

    def __init__(self, bus: Bus, records: Records, pull: JetStreamContext.PullSubscription) -> None:
        self.bus = bus
        self.records = records
        self.recipe = RECIPE
        self._pull = pull

    async def queue(self) -> Entry:
        """Accept a job: its record and its message."""
        record = accepted(JOB_ID, self.recipe, now())
        entry = await self.records.create(record)
        await publish_job(self.bus.js, job_of(record), None)
        return entry

    async def fetch(self) -> Msg:
        """The job's message, when the broker delivers it."""
        (message,) = await self._pull.fetch(1, timeout=10)
        return message

    async def lease(self) -> Lease:
        """The lease of a queued job that the worker "ours" claimed."""
        entry = await self.queue()
        entry = await self.records.update(entry, claimed(entry.record, "ours"))
        return Lease(self.bus.js, self.records, await self.fetch(), entry)

    async def entry(self) -> Entry:
        found = await self.records.get(JOB_ID)
        assert found is not None
        return found

    async def change(self, change: Callable[[JobRecord], JobRecord]) -> Entry:
        """Change the record as another process does."""
        entry = await self.entry()
        return await self.records.update(entry, change(entry.record))

    async def until_queue_is_empty(self) -> None:
        async def is_empty() -> bool:
            return (await self.bus.js.stream_info(subjects.JOBS_STREAM)).state.messages == 0

        await eventually(is_empty, "the job's message is removed")

    def claims(self) -> Claims:
        """The claims of the worker "ours", which runs no job."""
        return Claims(self.bus, "ours", lambda job_id, message: False)


@pytest.fixture
async def broker(nats_urls: dict[str, str]) -> AsyncIterator[Broker]:
    async with open_bus() as bus:
        connecting = asyncio.create_task(bus.run(nats_urls["operator"], "test"))

        async def is_ready() -> bool:
            return bus.is_ready

        await eventually(is_ready, "NATS is connected")
        records = Records(await ensure_streams(bus.js))
        await ensure_consumer(bus.js, RECIPE.model)
        consumer = subjects.consumer_name(RECIPE.model)
        pull = await bus.js.pull_subscribe_bind(consumer=consumer, stream=subjects.JOBS_STREAM)
        try:
            yield Broker(bus, records, pull)
        finally:
            await end((connecting,))


class MemoryStorage(Storage):
    """A store in memory, which can be made unavailable."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.is_away = False

    async def _put(self, key: str, file: Path, metadata: dict[str, str]) -> Upload:
        if self.is_away:
            raise UnavailableError("S3 is away.")
        self.files[key] = file.read_bytes()
        return Upload(key, "etag")

    async def read(self, key: str, most: int) -> bytes | None:
        if self.is_away:
            raise UnavailableError("S3 is away.")
        return self.files.get(key)

    async def remove_job(self, job_id: str) -> None:
        self.files.clear()


class ScriptedHost(EngineHost):
    """An engine host without a process: `script` does what the engine would do with a job."""

    def __init__(self) -> None:
        super().__init__(
            EngineSettings(engine="scripted", model="starter", device="cpu", max_slots=1, max_duration=60), lambda: None
        )
        self.info = ModelInfo(engine="scripted", device="cpu", sample_rate=RATE, channels=1)
        self.ready.set()
        self.script: Callable[[EngineJob], Any] = play

    async def generate(self, job_id: str, recipe: Recipe, job: EngineJob) -> None:
        await self.script(job)


def free_slot() -> Slot:
    """The only slot of an engine, taken by the job that gets it."""
    return SlotCount(lambda: 1, lambda: None).take()


async def play(job: EngineJob, volume: float = 0.5) -> None:
    """Make a second of audio at a constant level."""
    make(job, np.full((RATE, 1), volume, np.float32))


def make(job: EngineJob, samples: Samples) -> None:
    """Make this audio at once."""
    job.receive(Chunk(JOB_ID, samples.astype("<f4").tobytes(), samples.shape[1]))
    job.receive(Generated(JOB_ID))
