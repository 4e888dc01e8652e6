"""All job records in memory, kept equal to the bucket by a watch: polling a status asks nobody.

The bucket stays the truth; what changes a job goes there. A record that this gateway wrote itself is
applied at once, so that a client reads its own writes.
"""

import asyncio
from bisect import bisect_left, insort
from collections import defaultdict
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from nats.js.errors import KeyNotFoundError
from nats.js.kv import KeyValue

from gateway.estimate import Estimator
from gateway.listing import Listing, Position, position_of, remove_position
from gateway.shelf import Card, Shelf
from gateway.takes import Takes
from shared.lifecycle import end
from shared.logs import get_logger
from shared.messages import UNDECODABLE, JobRecord, JobStatus, now
from shared.records import Entry, decode_record, next_update, read_all

log = get_logger(__name__)

# Seconds that a change which the broker has may take to get here.
REACH_PATIENCE = 2.0


class Ahead(NamedTuple):
    """How many jobs wait before another one, and how many seconds of audio they are to make."""

    jobs: int
    seconds: float


class JobIndex:
    """A mirror of the bucket `music_jobs`. An `owner` sees the jobs of that key's name, None sees all."""

    def __init__(self, estimator: Estimator) -> None:
        self.estimator = estimator
        self.takes = Takes()
        self._shelf = Shelf()
        self._all = Listing()
        self._owned: defaultdict[str, Listing] = defaultdict(Listing)
        self._queued: dict[str, list[Position]] = {}
        self._sums: dict[str, list[float]] = {}  # of the queued jobs' durations, until the queue changes
        self._watch: asyncio.Task[None] | None = None
        self._position = 0  # the latest revision that the watch has told of
        self._moved = asyncio.Event()

    def entry(self, job_id: str) -> Entry | None:
        """The record, and the revision at which it is known."""
        return self._shelf.entry(job_id)

    def has_expired(self, record: JobRecord) -> bool:
        """Whether the job had audio and has none any more."""
        keeper = record if record.source is None else self.get(record.source)
        return record.audio is not None and (keeper is None or keeper.expired_at is not None)

    def get(self, job_id: str) -> JobRecord | None:
        entry = self._shelf.entry(job_id)
        return entry.record if entry else None

    def checkpoint(self, job_id: str) -> str | None:
        """What the model of a job was loaded from, where that can be told."""
        card = self._shelf.cards.get(job_id)
        return card.checkpoint if card else None

    def count(self, status: JobStatus | None, owner: str | None = None) -> int:
        listing = self._of(owner)
        return len(listing.order) if status is None else listing.counts[status]

    def newest(
        self, limit: int, status: JobStatus | None, before: Position | None, owner: str | None = None
    ) -> list[JobRecord]:
        """Up to `limit` records older than `before`, newest first."""
        found: list[JobRecord] = []
        order = self._of(owner).order
        end = len(order) if before is None else bisect_left(order, before)
        while end > 0 and len(found) < limit:
            end -= 1
            card = self._shelf.cards[order[end].job_id]
            if status is None or card.status is status:
                found.append(card.record)
        return found

    def since(self, moment: datetime, owner: str) -> list[Card]:
        """The owner's jobs that are not older than `moment`, oldest first."""
        order, cards = self._of(owner).order, self._shelf.cards
        return [cards[each.job_id] for each in order[bisect_left(order, Position(moment, "")) :]]

    def ahead_of(self, record: JobRecord) -> Ahead:
        """The queued jobs of the same model that are ahead of this one."""
        model = record.recipe.model
        waiting = self._queued.get(model, [])
        count = bisect_left(waiting, position_of(record))
        if model not in self._sums:
            durations = (self._shelf.cards[position.job_id].record.recipe.duration for position in waiting)
            self._sums[model] = list(accumulate(durations, initial=0.0))
        return Ahead(count, self._sums[model][count])

    def unfinished(self) -> list[Entry]:
        """Every job that has not ended."""
        return self._shelf.unfinished()

    def oldest_wait(self) -> float:
        """Seconds that the oldest queued job has waited; 0 if none is queued."""
        firsts = [waiting[0].created_at for waiting in self._queued.values() if waiting]
        return max((now() - min(firsts)).total_seconds(), 0.0) if firsts else 0.0

    def apply(self, entry: Entry) -> None:
        """Take over a record, unless a newer one is here already."""
        record = entry.record
        known = self._shelf.cards.get(record.job_id)
        if known is not None and known.revision >= entry.revision:
            return
        if known is not None:
            self.discard(record.job_id)  # the id may come back with another time of creation
        self._shelf.put(entry)
        for listing in self._listings_with(record):
            listing.add(record)
        self.takes.add(record, entry.revision)
        if _waits(record):
            insort(self._queued.setdefault(record.recipe.model, []), position_of(record))
            self._sums.pop(record.recipe.model, None)
        self.estimator.observe(record)

    def discard(self, job_id: str) -> None:
        """Forget a job whose record is gone."""
        record = self.get(job_id)
        if record is None:
            return
        self._shelf.remove(job_id)
        for listing in self._listings_with(record):
            listing.remove(record)
        self.takes.remove(record)
        if _waits(record):
            remove_position(self._queued[record.recipe.model], position_of(record))
            self._sums.pop(record.recipe.model, None)

    def expire(self, age: timedelta) -> None:
        """Forget what the bucket's TTL has removed: a TTL leaves no marker that a watch could see."""
        for job_id in self._shelf.unchanged_since(now() - age):
            self.discard(job_id)

    async def follow(self, bucket: KeyValue) -> None:
        """Read the whole bucket, then follow its changes until the next call or `close`. Raises: UnavailableError."""
        await self.close()
        self._position = 0
        watcher = await bucket.watchall()
        try:
            await self._read(bucket, watcher)
        except BaseException:
            await _stop(watcher)  # or it would take in every change from now on, and nobody would take them out
            raise
        self._watch = asyncio.create_task(self._keep_following(watcher))

    async def close(self) -> None:
        """Stop following."""
        if self._watch is not None:
            await end((self._watch,))
            self._watch = None

    async def _read(self, bucket: KeyValue, watcher: KeyValue.KeyWatcher) -> None:
        present: set[str] = set()

        def take(update: KeyValue.Entry) -> None:
            self._take(update)
            present.add(update.key)

        await read_all(bucket, watcher, take)
        for job_id in self._shelf.cards.keys() - present:
            # This gateway may have written it since: ask before forgetting.
            if not await _exists(bucket, job_id):
                self.discard(job_id)

    async def _keep_following(self, watcher: KeyValue.KeyWatcher) -> None:
        try:
            while True:
                if update := await next_update(watcher):
                    self._take(update)
        except Exception:
            log.exception("no longer following the records")
            raise
        finally:
            await _stop(watcher)

    async def reached(self, revision: int) -> None:
        """Wait until all changes up to `revision` are here; not for long, because NATS may be away."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REACH_PATIENCE):
                while self._position < revision:
                    self._moved.clear()
                    await self._moved.wait()

    def _take(self, update: KeyValue.Entry) -> None:
        self._position = max(self._position, update.revision or 0)
        self._moved.set()
        if update.operation is not None:
            self.discard(update.key)
            return
        try:
            record = decode_record(update.value or b"")
            if record.job_id == update.key:  # a record under another key would change somebody else's job
                self.apply(Entry(record, update.revision or 0))
        except UNDECODABLE as error:
            log.warning("not a job record", key=update.key, error=str(error))

    def _of(self, owner: str | None) -> Listing:
        return self._all if owner is None else self._owned[owner]

    def _listings_with(self, record: JobRecord) -> list[Listing]:
        return [self._all] if record.owner is None else [self._all, self._owned[record.owner]]


def _waits(record: JobRecord) -> bool:
    """Whether the job waits for a worker."""
    return record.status is JobStatus.QUEUED and not record.follows


async def _stop(watcher: KeyValue.KeyWatcher) -> None:
    # After a broken connection the consumer may be gone with it.
    with suppress(Exception):
        await watcher.stop()  # type: ignore[no-untyped-call]


async def _exists(bucket: KeyValue, job_id: str) -> bool:
    try:
        await bucket.get(job_id)
    except KeyNotFoundError:
        return False
    return True
