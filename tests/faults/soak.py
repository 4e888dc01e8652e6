"""Mixed load under random faults, with totals at the end: `uv run python -m tests.faults --soak 20m`.

`--records 60000` starts with that many records of finished jobs in the bucket.

One gateway and one worker are never touched: their memory at the end may exceed that after a quarter of the time, when
it has settled, by at most a tenth. The others, the broker and the store are killed, frozen and stopped all the time.
Lost responses let more jobs end than were accepted. If a worker is killed while the store starts, the store may finish
the upload after the job was cleaned up; retention removes such files when they are an hour old, and here before orphans
are counted.
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
# The share of the time after which memory counts as settled, and the growth allowed from then on.
SETTLED = 0.25
GROWTH = 1.1
# Seconds until the system must be idle afterwards.
TIMEOUT = 180.0


class Soak:
    """The running services, and the faults injected into them."""

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
        """Run load and faults for this many seconds, then check the history."""
        deadline = time.monotonic() + seconds
        settling = asyncio.create_task(self._settled(SETTLED * seconds))
        await asyncio.gather(self._break_things(deadline), *(self._ask(deadline) for _ in range(CLIENTS)))
        settled = await settling
        report = await self._deployment.report(TIMEOUT)
        if report.orphans:
            print(f"{report.orphans} jobs left files to retention:", *report.problems, sep="\n")
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
                # Like a client without a response: repeat with the same idempotency key.
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
        self._deployment.history.note("terminated", pid=part.pid)
        part.terminate()
        await part.until_ended(60)
        await part.start_again()


async def soak(folder: Path, seconds: float, seed: int, records: int) -> bool:
    """Run the soak in `folder` with `records` planted jobs and print the totals; True if there are no problems."""
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
