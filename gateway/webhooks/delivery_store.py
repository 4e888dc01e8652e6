"""The bucket of deliveries: changed by compare-and-set, and known in memory as far as it takes to find what is due."""

import asyncio
import heapq
from collections.abc import Callable, Iterator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
import nats.js.errors
from nats.js.kv import KeyValue
from yarl import URL

from gateway.webhooks.deliveries import JobDeliveries
from shared import subjects
from shared.bus import AWAY, Bus
from shared.errors import UnavailableError
from shared.logs import get_logger
from shared.messages import UNDECODABLE, encode
from shared.record_feed import Change, read_feed
from shared.topology import WEBHOOKS_TTL, ensure_webhooks

log = get_logger(__name__)

# Seconds between attempts to follow the bucket.
RETRY_DELAY = 1.0

_decode = msgspec.json.Decoder(JobDeliveries).decode
Edit = Callable[[JobDeliveries | None], JobDeliveries | None]


class Stored(NamedTuple):
    """The deliveries of a job, and the revision at which they were read."""

    value: JobDeliveries
    revision: int


class Known(NamedTuple):
    """What the memory keeps of a job's deliveries."""

    revision: int
    owner: str | None
    host: str
    has_failed: bool
    due_at: datetime | None
    changed_at: datetime


class DeliveryStore:
    """The bucket `music_webhooks`, and which of its jobs are due."""

    def __init__(self, bus: Bus, replicas: int, clock: Callable[[], datetime]) -> None:
        self.now = clock
        self.news = asyncio.Event()
        self._bus = bus
        self._replicas = replicas
        self._bucket: KeyValue | None = None
        self._known: dict[str, Known] = {}
        self._due: list[tuple[datetime, str, int]] = []

    # ---- The bucket ----

    async def read(self, job_id: str) -> Stored | None:
        """The deliveries of a job. Raises: UnavailableError."""
        try:
            entry = await (await self._require()).get(job_id)
            return Stored(_decode(entry.value or b""), entry.revision or 0)
        except nats.js.errors.KeyNotFoundError:
            return None
        except UNDECODABLE as error:
            raise UnavailableError(f"The deliveries of {job_id} are damaged: {error}. Remove their key.") from error
        except (nats.js.errors.APIError, *AWAY) as error:
            raise UnavailableError(f"The deliveries of {job_id} cannot be read: {error!r}") from error

    async def change(self, job_id: str, edit: Edit, known: Stored | None = None) -> Stored | None:
        """Write what `edit` makes of the deliveries; None, and nothing is written, if it makes nothing.

        Args:
            job_id: the job.
            edit: called again if another process changed them meanwhile.
            known: the deliveries, if the caller has just written them.

        Raises:
            UnavailableError: while NATS is away.
        """
        bucket, found = await self._require(), known or await self.read(job_id)
        while (changed := edit(found.value if found else None)) is not None:
            try:
                revision = await self._write(bucket, changed, found.revision if found else None)
            except nats.js.errors.KeyWrongLastSequenceError:
                found = await self.read(job_id)
                continue
            except (nats.js.errors.APIError, *AWAY) as error:
                raise UnavailableError(f"The deliveries of {job_id} cannot be written: {error!r}") from error
            self._note(job_id, changed, revision, self.now())
            return Stored(changed, revision)
        return None

    async def _write(self, bucket: KeyValue, value: JobDeliveries, revision: int | None) -> int:
        if revision is None:
            return await bucket.create(value.job_id, encode(value))
        return await bucket.update(value.job_id, encode(value), last=revision)

    async def _require(self) -> KeyValue:
        js = self._bus.require()
        if self._bucket is None:
            try:
                self._bucket = await ensure_webhooks(js, self._replicas)
            except (nats.js.errors.APIError, *AWAY) as error:
                raise UnavailableError(
                    f"Webhooks have no bucket: {error!r}. If it persists, compare the gateway's NATS permissions with "
                    "those in nats.conf."
                ) from error
        return self._bucket

    # ---- The memory ----

    def take_due(self, limit: int) -> list[str]:
        """Up to `limit` jobs that are due. Each is returned once, unless it changes or `postpone` is called."""
        found: list[str] = []
        while self._due and len(found) < limit and self._due[0][0] <= self.now():
            _, job_id, revision = heapq.heappop(self._due)
            if (known := self._known.get(job_id)) and known.revision == revision:
                found.append(job_id)
        return found

    def postpone(self, job_id: str, seconds: float) -> None:
        """Have `take_due` return the job again, unless it changes."""
        if known := self._known.get(job_id):
            heapq.heappush(self._due, (self.now() + timedelta(seconds=seconds), job_id, known.revision))

    def seconds_until_due(self) -> float | None:
        """When `take_due` may find a job; None if nothing is pending."""
        return (self._due[0][0] - self.now()).total_seconds() if self._due else None

    def host(self, job_id: str) -> str:
        """The host of the job's receiver."""
        return self._known[job_id].host

    def newest(self, owner: str | None) -> Iterator[tuple[str, Known]]:
        """The jobs of the owner that have deliveries, the last changed first. None means every owner."""
        for job_id, known in reversed(list(self._known.items())):
            if owner is None or known.owner == owner:
                yield job_id, known

    def count_pending(self) -> int:
        """The number of jobs with deliveries that have not ended."""
        return sum(known.due_at is not None for known in self._known.values())

    def _note(self, job_id: str, value: JobDeliveries, revision: int, changed_at: datetime) -> None:
        known = self._known.pop(job_id, None)
        if known is not None and known.revision >= revision:
            self._known[job_id] = known
            return
        has_failed = any(each.status == "failed" for each in value.deliveries)
        host, due_at = URL(value.url).host or "", value.due_at
        self._known[job_id] = Known(revision, value.owner, host, has_failed, due_at, changed_at)
        if due_at is not None:
            heapq.heappush(self._due, (due_at, job_id, revision))
            self.news.set()

    async def run(self) -> None:
        """Follow the bucket, until cancelled."""
        last = 0
        while True:
            try:
                await self._require()
                async with aclosing(read_feed(self._bus.client, last, subjects.WEBHOOKS_BUCKET)) as feed:
                    async for batch in feed:
                        for change in batch.changes:
                            self._take(change)
                            last = change.revision
                        self._forget_expired()
            except UnavailableError as error:
                log.info("deliveries are followed later", error=str(error))
                self._bucket = None
                await asyncio.sleep(RETRY_DELAY)

    def _take(self, change: Change) -> None:
        if change.value is None:
            self._known.pop(change.key, None)
            return
        try:
            self._note(change.key, _decode(change.value), change.revision, change.changed_at)
        except UNDECODABLE as error:
            log.warning("damaged deliveries", job_id=change.key, error=str(error))

    def _forget_expired(self) -> None:
        """The broker removes old keys without notice. Those changed longest ago come first."""
        oldest = self.now() - timedelta(seconds=WEBHOOKS_TTL)
        while self._known and next(iter(self._known.values())).changed_at < oldest:
            del self._known[next(iter(self._known))]
