"""A mixed load under random faults, and the tally: `uv run python -m tests.faults --soak 20m`.

`--records 60000` has so many records of finished jobs in the bucket from the beginning.

One gateway and one worker are left alone, so that their memory at the end can be held against that after a quarter of
the time, when everything has been done once: more than a tenth on top is wrong. The others, the broker and the store
are killed, frozen and stopped all the time. More jobs end than were accepted where an answer was lost. An upload whose
worker is killed while the store starts can be finished by the store after its job was cleared away: the workers' sweep
removes such files when they are an hour old, and so it does here before orphans are counted.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import psutil

from tests.faults.checker import Report
from tests.faults.client import Client
from tests.faults.deployment import Deployment
from tests.records import fill
from tests.servers import Server, embedded_nats, embedded_s3

PROMPTS = ("tone", "tone", "tone", "slow", "slow", "silent", "fail", "memory", "nan")
# Seconds between two jobs of one client, and between two faults, on average.
PAUSE = 0.8
CALM = 2.0
CLIENTS = 4
# The share of the time after which memory is taken for settled, and how much it may grow from there on.
SETTLED = 0.25
GROWTH = 1.1
# Seconds in which everything has to come to rest afterwards.
TIMEOUT = 180.0


class Soak:
    """Everything that runs, and who breaks it."""

    def __init__(self, deployment: Deployment, broker: Server, store: Server, source: random.Random) -> None:
        self._deployment = deployment
        self._broker = broker
        self._store = store
        self._random = source
        self._clients: list[Client] = []
        self._workers: list[Server] = []
        self._gateways: list[Server] = []

    async def start(self) -> None:
        """Two gateways and two workers; the first of each is never touched."""
        for _ in range(2):
            client, gateway = await self._deployment.gateway()
            self._clients.append(client)
            self._gateways.append(gateway)
            self._workers.append(await self._deployment.worker())

    async def run(self, seconds: float) -> Report:
        """Load and faults for so long; then the report."""
        deadline = time.monotonic() + seconds
        settling = asyncio.create_task(self._settled(SETTLED * seconds))
        await asyncio.gather(self._break_things(deadline), *(self._ask(deadline) for _ in range(CLIENTS)))
        settled = await settling
        report = await self._deployment.report(TIMEOUT)
        if report.orphans:
            print(f"{report.orphans} jobs left files to the workers' sweep:", *report.problems, sep="\n")
            await self._deployment.run_retention()
            report = await self._deployment.report(TIMEOUT)
        for name, megabytes in self.memory().items():
            print(f"{name} RSS {settled[name]:.1f} MB when settled, {megabytes:.1f} at the end")
            if megabytes > GROWTH * settled[name]:
                report.problems.append(f"memory: that of the {name} grows")
        return report

    async def _settled(self, seconds: float) -> dict[str, float]:
        await asyncio.sleep(seconds)
        return self.memory()

    def memory(self) -> dict[str, float]:
        """Megabytes in use by the gateway and the worker that are left alone."""
        steady = {"gateway": self._gateways[0], "worker": self._workers[0]}
        return {name: psutil.Process(part.pid).memory_info().rss / 2**20 for name, part in steady.items()}

    async def _ask(self, deadline: float) -> None:
        number = 0
        while time.monotonic() < deadline:
            number += 1
            await asyncio.sleep(self._random.expovariate(1 / PAUSE))
            prompt, duration = self._random.choice(PROMPTS), self._random.choice([0.5, 1.0, 1.5])
            key = self._random.choice([None, f"{id(asyncio.current_task())}-{number}"])
            client = self._random.choice(self._clients)
            job_id = await client.post(prompt, duration, key, seed=number)
            if job_id is None and key:
                # As a program does that got no answer: again, with the same key.
                job_id = await self._random.choice(self._clients).post(prompt, duration, key, seed=number)
            if job_id and self._random.random() < 0.3:
                await asyncio.sleep(self._random.uniform(0, 2))
                await self._random.choice(self._clients).delete(job_id, keep=self._random.random() < 0.5)
            if job_id:
                await client.status(job_id)

    async def _break_things(self, deadline: float) -> None:
        faults: list[Callable[[], Awaitable[None]]] = [
            lambda: self._kill(self._workers[1]),
            lambda: self._kill(self._gateways[1]),
            lambda: self._kill(self._broker),
            lambda: self._kill(self._store),
            lambda: self._freeze(self._workers[1]),
            lambda: self._freeze(self._broker),
            lambda: self._stop(self._workers[1]),
        ]
        while time.monotonic() < deadline:
            await asyncio.sleep(self._random.expovariate(1 / CALM))
            await self._random.choice(faults)()

    async def _kill(self, part: Server) -> None:
        self._deployment.history.note("killed", pid=part.pid)
        part.kill()
        await asyncio.sleep(self._random.uniform(0, 3))
        await part.start_again()

    async def _freeze(self, part: Server) -> None:
        self._deployment.history.note("frozen", pid=part.pid)
        part.freeze()
        await asyncio.sleep(self._random.uniform(0, 6))
        part.thaw()

    async def _stop(self, part: Server) -> None:
        self._deployment.history.note("told to stop", pid=part.pid)
        part.terminate()
        await part.until_ended(60)
        await part.start_again()


async def soak(folder: Path, seconds: float, seed: int, records: int) -> bool:
    """Run it in `folder` with so many records there beforehand, print the tally, and say whether nothing is wrong."""
    async with AsyncExitStack() as stack:
        broker, urls = embedded_nats(folder / "nats")
        store, settings = embedded_s3(folder / "s3")
        for server in (broker, store):
            await server.start_again()
            stack.callback(server.kill)
        deployment = Deployment(folder, urls, settings, stack)
        deployment.history.planted = frozenset(await fill(await deployment.nats(), records))
        running = Soak(deployment, broker, store, random.Random(seed))
        await running.start()
        report = await running.run(seconds)
    for name in ("accepted", "completed", "failed", "cancelled", "lost", "event_errors", "stuck", "orphans"):
        print(f"{name:<14}{getattr(report, name):>8}")
    print(*report.problems, sep="\n")
    return not report.problems
