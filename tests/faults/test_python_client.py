"""The Python client follows a job while the gateway, or the broker, is killed and comes back."""

import asyncio
import json

import msgspec
import numpy as np
import pytest
from musicgen_client import AsyncClient, AsyncJob, AudioChunk, Event

from shared import subjects
from shared.messages import Recipe
from tests.engines import SAMPLE_RATE, sine
from tests.faults.deployment import Deployment
from tests.integration.system import eventually
from tests.servers import Server

SECONDS = 8.0


class Follower:
    """Follows a job in three ways at once, each with its own connection."""

    def __init__(self, job: AsyncJob) -> None:
        self.events: list[Event] = []
        self.chunks: list[AudioChunk] = []
        self.broken = 0
        self._job = job
        self._tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._listen())]
        self._result = asyncio.create_task(job.result())

    async def _follow(self) -> None:
        async for event in self._job.events(on_reconnect=self._count):
            self.events.append(event)

    async def _listen(self) -> None:
        async for chunk in self._job.stream():
            self.chunks.append(chunk)

    def _count(self, error: Exception) -> None:
        self.broken += 1

    async def until_heard(self) -> None:
        """Wait until events and audio arrive."""

        async def heard() -> bool:
            return len(self.chunks) > 2 and any(event.type == "progress" for event in self.events)

        await eventually(heard, "the client hears the job", 60)

    async def recipe(self) -> Recipe:
        """Wait until all three ways have ended; return the recipe of the result."""
        await asyncio.gather(*self._tasks)
        return msgspec.convert((await self._result).recipe, Recipe)

    async def check_events(self, deployment: Deployment) -> None:
        """From the beginning on, every state that NATS has stored was told, and nothing twice.

        After a reconnection the gateway tells the present state as well, which NATS has as an event of progress.
        """
        js = (await deployment.nats()).jetstream()
        stored = []
        for kind in ("queued", "processing", "completed"):
            message = await js.get_last_msg(subjects.EVENTS_STREAM, subjects.event_subject(self._job.id, kind))
            stored.append((kind, json.loads(message.data or b"")["seq"]))
        numbers = [event.seq for event in self.events]
        told = {(event.type, event.seq) for event in self.events}
        assert {(kind, seq) for kind, seq in stored if seq >= numbers[0]} <= told
        assert self.events[-1].type == "completed"
        assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("kills", [1, 2])
async def test_a_client_misses_and_repeats_nothing_while_its_gateway_is_killed(
    deployment: Deployment, kills: int
) -> None:
    (gateway, process), _ = await asyncio.gather(deployment.gateway(), deployment.worker())
    async with AsyncClient(gateway.url) as client:
        job = await client.generate("slow tone", duration=SECONDS, seed=7)
        follower = Follower(job)
        await follower.until_heard()
        for _ in range(kills):
            process.kill()
            await process.start_again()
        recipe = await follower.recipe()
    await follower.check_events(deployment)
    assert follower.broken >= kills
    # The stream is the whole audio: every sample once, in order.
    starts = [chunk.first_sample for chunk in follower.chunks]
    assert starts == [0, *(chunk.end for chunk in follower.chunks[:-1])]
    heard = np.frombuffer(b"".join(chunk.pcm for chunk in follower.chunks), "<f4")
    np.testing.assert_array_equal(heard, sine(recipe)[:, 0])


async def test_a_client_misses_and_repeats_no_event_while_the_broker_is_killed(
    deployment: Deployment, broker: Server
) -> None:
    (gateway, _), _ = await asyncio.gather(deployment.gateway(), deployment.worker())
    async with AsyncClient(gateway.url) as client:
        follower = Follower(await client.generate("slow tone", duration=SECONDS, seed=7))
        await follower.until_heard()
        broker.kill()
        await asyncio.sleep(2)  # the worker goes on without it
        await broker.start_again()
        recipe = await follower.recipe()
    await follower.check_events(deployment)
    # Live audio that was published while the broker was away is a gap: what arrived is right, and none of it twice.
    expected, position = sine(recipe)[:, 0], 0
    for chunk in follower.chunks:
        assert chunk.first_sample >= position
        position = chunk.end
        np.testing.assert_array_equal(np.frombuffer(chunk.pcm, "<f4"), expected[chunk.first_sample : position])
    assert position <= SECONDS * SAMPLE_RATE
