"""Events of many jobs, delivered to a receiver that fails at random while gateways and the broker are killed.

Each job's events must arrive at least once, for the first time in their order, and none may be lost.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext

from shared import subjects
from shared.bus import AWAY
from shared.job_id import new_job_id
from shared.lifecycle import end
from shared.logs import get_logger
from shared.messages import EventType, JobRecord, JobStatus, Recipe, encode, event_of, now
from shared.records import Records
from shared.topology import ensure_streams
from shared.webhook import Webhook
from tests.faults.services import gateway_server
from tests.integration.webhook_receiver import SETTINGS, Receiver, receiving
from tests.servers import Server

EVENTS: tuple[EventType, ...] = ("queued", "processing", "queued", "processing", "cancelled")
CHANCE = 0.2
# Shorter times than in production, in the same proportions.
CONSTANTS = {
    "shared.topology.WEBHOOK_ACK_WAIT": 2.0,
    "gateway.webhooks.deliveries.LEASE": 20.0,
    "gateway.jobs.reconciler.STALL_TIME": 1e9,  # the jobs have no worker
}
# Jobs whose events are published at the same time.
PUBLISHERS = 32
# Seconds between two faults.
PAUSE = 3.0

log = get_logger(__name__)


class Report(NamedTuple):
    """What a soak led to."""

    deliveries: int
    requests: int
    repeated: int
    lost: int
    out_of_order: int
    kills: int
    seconds: float


class _Soak:
    def __init__(self, broker: Server, gateways: list[Server], receiver: Receiver, seed: int) -> None:
        self._broker = broker
        self._gateways = gateways
        self._receiver = receiver
        self._random = random.Random(seed)
        self.kills = 0
        self.sent: dict[str, list[int]] = {}

    async def inject_faults(self) -> None:
        """Kill a gateway or the broker, again and again, until cancelled."""
        while True:
            await asyncio.sleep(PAUSE)
            victim = self._random.choice([*self._gateways, self._broker])
            victim.kill()
            self.kills += 1
            published, requests = sum(map(len, self.sent.values())), self._receiver.attempts
            log.info("killed", kills=self.kills, published=published, requests=requests, missing=self.missing())
            await victim.start_again()

    async def publish(self, client: Client, jobs: int) -> None:
        """Store a record for each job and publish its events, each until the broker has it."""
        records, js = Records(await ensure_streams(client.jetstream())), client.jetstream(timeout=2)
        names = iter([new_job_id() for _ in range(jobs)])

        async def publisher() -> None:
            for job_id in names:
                await self._publish_job(records, js, job_id)

        await asyncio.gather(*(publisher() for _ in range(PUBLISHERS)))

    async def _publish_job(self, records: Records, js: JetStreamContext, job_id: str) -> None:
        record = _record(job_id, self._receiver.url)
        await _until_done(lambda: records.bucket.put(job_id, encode(record)))
        for seq, kind in enumerate(EVENTS, 1):
            event, headers = event_of(record, seq, kind), {subjects.MSG_ID: f"{job_id}.{seq}"}
            subject = subjects.event_subject(job_id, kind)
            await _until_done(lambda: js.publish(subject, encode(event), headers=dict(headers)))  # noqa: B023
        self.sent[job_id] = list(range(1, len(EVENTS) + 1))

    def missing(self) -> int:
        """Events that were published and have not arrived."""
        arrived = self._receiver.accepted
        return sum(len(set(numbers) - set(arrived[job_id])) for job_id, numbers in self.sent.items())

    def report(self, seconds: float) -> Report:
        counted = sum(map(len, self.sent.values()))
        arrivals = sum(map(len, self._receiver.accepted.values()))
        wrong = [job_id for job_id, numbers in self.sent.items() if self._receiver.first_arrivals(job_id) != numbers]
        lost = self.missing()
        return Report(
            counted, self._receiver.attempts, arrivals + lost - counted, lost, len(wrong), self.kills, seconds
        )


async def soak(
    folder: Path,
    broker: tuple[Server, dict[str, str]],
    s3: dict[str, str],
    *,
    deliveries: int,
    seed: int,
    patience: float,
) -> Report:
    """Deliver so many events. Returns when all have arrived, or when none has for `patience` seconds."""
    source, began = random.Random(seed), time.monotonic()
    async with AsyncExitStack() as stack:
        failing = receiving(lambda event: 500 if source.random() < CHANCE else 204)
        receiver = await stack.enter_async_context(failing)
        environment = {"NATS_URL": broker[1]["gateway"], **s3, **SETTINGS, "LOG_LEVEL": "warning"}
        gateways = [gateway_server(folder, number, environment, CONSTANTS)[0] for number in (1, 2)]
        for gateway in gateways:
            stack.callback(gateway.stop)
            await gateway.start_again()
        client = await nats.connect(broker[1]["operator"], max_reconnect_attempts=-1, reconnect_time_wait=0.2)
        stack.push_async_callback(client.close)
        running = _Soak(broker[0], gateways, receiver, seed)
        faults = asyncio.create_task(running.inject_faults())
        work = asyncio.create_task(_deliver(running, client, receiver, deliveries, patience))
        try:
            # The faults end only by an error, such as a server that does not start again.
            await asyncio.wait((faults, work), return_when=asyncio.FIRST_COMPLETED)
            await (faults if faults.done() else work)
        finally:
            await end((faults, work))
        return running.report(time.monotonic() - began)


async def _deliver(running: _Soak, client: Client, receiver: Receiver, deliveries: int, patience: float) -> None:
    await running.publish(client, deliveries // len(EVENTS))
    seen, since = -1, time.monotonic()
    while running.missing() and time.monotonic() - since < patience:
        if receiver.attempts != seen:
            seen, since = receiver.attempts, time.monotonic()
        await asyncio.sleep(0.2)


async def _until_done(step: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await step()
            return
        except (nats.errors.Error, nats.js.errors.APIError, *AWAY):
            await asyncio.sleep(0.1)


def _record(job_id: str, url: str) -> JobRecord:
    """A running job, whose end no gateway announces."""
    moment = now()
    return JobRecord(
        job_id=job_id,
        recipe=Recipe(model="starter", prompt="tone", duration=1.0),
        created_at=moment,
        updated_at=moment,
        status=JobStatus.PROCESSING,
        progress=0.5,
        webhook=Webhook(url=url, events=("queued", "processing", "cancelled")),
    )
