"""Answers equal requests with stored audio, and generates concurrent equal jobs once.

A job that may share audio begins as a *follower*: its record is marked, and it has no message in the queue. If audio of
its recipe is stored, a gateway completes it; if no equal job is queued or running, a gateway queues the first follower.
Every gateway checks at each change and every ten seconds, so a crash between two steps only delays a job. The gateways
agree on the first follower by the records' revisions.

The first job of its recipe also begins as a follower, without a leader, and is queued at once.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from gateway import metrics
from gateway.index.job_index import JobIndex
from gateway.index.recipe_key import Key, recipe_key
from gateway.index.record_store import RecordStore
from gateway.index.worker_registry import WorkerRegistry
from gateway.jobs.job_queue import JobQueue
from gateway.jobs.stored_files import LostError, StoredFiles
from gateway.jobs.usage import UsageTracker
from shared.bus import Bus
from shared.errors import ConflictError, DamagedRecordError, UnavailableError
from shared.logs import get_logger
from shared.messages import JobRecord, JobStatus
from shared.publisher import ensure_announced
from shared.records import Entry
from shared.transitions import answered, promoted

log = get_logger(__name__)

# Which stored audio may answer a request: none, of the same seed, or of any seed.
Reuse = Literal["none", "same", "any"]

# Jobs that a gateway ended within this time may lack their terminal event. The broker deduplicates it if it was sent.
ANNOUNCE_WINDOW = timedelta(minutes=30)


class UseStored(msgspec.Struct, frozen=True):
    """The stored audio of `source` answers the job."""

    source: JobRecord


class Follow(msgspec.Struct, frozen=True):
    """The job waits for the equal job `leader`."""

    leader: str


class Run(msgspec.Struct, frozen=True):
    """A worker has to run the job.

    Attributes:
        may_share: whether the job may share audio with equal jobs. Its record then begins as a follower, so that
            of equal jobs that arrive at several gateways at once only the first is queued.
    """

    may_share: bool = True


Decision = UseStored | Follow | Run


class ResultCache:
    """Decides how jobs get their audio, and completes or queues followers."""

    def __init__(
        self,
        bus: Bus,
        index: JobIndex,
        record_store: RecordStore,
        queue: JobQueue,
        workers: WorkerRegistry,
        usage: UsageTracker,
        stored_files: StoredFiles,
    ) -> None:
        self._bus = bus
        self._index = index
        self._by_recipe = index.by_recipe
        self._record_store = record_store
        self._queue = queue
        self._workers = workers
        self._usage = usage
        self._stored_files = stored_files
        self._beginning: set[Key] = set()
        self._unannounced: dict[str, datetime] = {}

    def decide(self, record: JobRecord, reuse: Reuse) -> Decision:
        """How a new job gets its audio, as far as this gateway knows. A job with stored audio needs no quota.

        For a follower, `begin` decides again: other gateways may have accepted equal jobs meanwhile.
        """
        if reuse == "none":
            return Run(may_share=False)
        if reuse == "any":
            jobs = self._index.shareable_any_seed(recipe_key(record, any_seed=True))
            if source := self._usable(jobs, record.recipe.model):
                return UseStored(source)
        return self._decide(recipe_key(record), record.recipe.model)

    def _decide(self, key: Key, model: str) -> Decision:
        if source := self._usable(self._index.shareable(key), model):
            return UseStored(source)
        if leader := self._by_recipe.active(key):
            return Follow(leader)
        return Run()

    async def begin(self, entry: Entry) -> JobRecord:
        """Complete a new follower, queue it, or let it wait; returns a record for the response.

        Raises:
            QueueFullError, UnavailableError: if the job cannot be queued now.
        """
        key, job_id = recipe_key(entry.record), entry.record.job_id
        self._index.apply(entry)
        self._beginning.add(key)
        try:
            await self._advance_followers(key, job_id)
        finally:
            self._beginning.discard(key)
            self._by_recipe.mark_changed(key)
        record = self._index.record(job_id)
        if record is not None and record.source is not None:
            metrics.cache("stored")
            return record
        if record is not None and record.is_follower and record.status is JobStatus.QUEUED:
            metrics.cache("followed")
            await self._queue.announce(entry)
            return entry.record
        metrics.cache("missed")
        return promoted(entry.record)

    async def run(self) -> None:
        """Advance the followers of changed recipes, until cancelled."""
        while True:
            changed = await self._by_recipe.wait_changed()
            await self._advance_all(changed - self._beginning)

    async def recover_orphans(self) -> None:
        """Advance followers without a leader, and publish missing terminal events. A crashed gateway leaves both.

        Raises:
            UnavailableError: while NATS is away.
        """
        await self._advance_all(self._by_recipe.followed_recipes())
        # Jobs that ended since the last call have to wait for the next: their event may just be on its way.
        due = list(self._unannounced.items())
        self._unannounced |= self._by_recipe.drain_ended()
        for job_id, moment in due:
            if self._index.broker_time() - moment < ANNOUNCE_WINDOW:
                await self._announce_end(job_id)
            del self._unannounced[job_id]

    async def _announce_end(self, job_id: str) -> None:
        try:
            entry = await self._record_store.fetch(job_id)
        except DamagedRecordError:
            return  # announced when the record is repaired
        if entry is not None:
            await ensure_announced(self._bus.require(), entry)

    async def _advance_all(self, keys: Collection[Key]) -> None:
        for key in keys:
            try:
                await self._advance_followers(key)
            except UnavailableError as error:
                log.info("followers not advanced yet", error=str(error))

    async def _advance_followers(self, key: Key, only: str | None = None) -> None:
        """Complete the followers of a recipe, or `only` one of them, with stored audio.

        Without stored audio, queue the first follower unless an equal job is queued or running.
        """
        await self._catch_up(key)
        while followers := [each for each in self._followers(key) if only in (None, each.record.job_id)]:
            match self._decide(key, followers[0].record.recipe.model):
                case UseStored(source):
                    await self._answer(followers, source)
                case Follow():
                    return
                case Run():
                    await self._promote(self._followers(key)[0])
                    return

    async def _answer(self, followers: list[Entry], source: JobRecord) -> None:
        """Complete the followers. If the audio of `source` is gone, update the index instead."""
        if not await self._usage.touch(source):
            self._index.discard(source.job_id)  # the feed has not brought the change yet
        elif not await self._is_lost(source):
            for entry in followers:
                await self._complete(entry, source)

    async def _is_lost(self, source: JobRecord) -> bool:
        """Whether the store lacks a file of the job; if so, mark it. While S3 is away, files count as present."""
        for file in (source.audio, *source.outputs):
            if file is None:
                continue
            try:
                await self._stored_files.check(file)
            except UnavailableError:
                return False
            except LostError as error:
                log.warning("a file is lost", job_id=source.job_id, error=str(error))
                metrics.LOST_FILES.inc()
                if await self._record_store.mark_lost(source.job_id, file) is None:
                    self._index.discard(source.job_id)
                return True
        return False

    async def _catch_up(self, key: Key) -> None:
        """Wait until the index has every change that precedes the latest follower, from any gateway."""
        followers = self._followers(key)
        if followers:
            await self._index.wait_for(followers[-1].revision)

    def _followers(self, key: Key) -> list[Entry]:
        return [entry for job_id in self._by_recipe.followers(key) if (entry := self._index.entry(job_id))]

    def _usable(self, jobs: Iterable[str], model: str) -> JobRecord | None:
        """The first job generated with a checkpoint that ready workers have loaded; without workers, the first job."""
        loaded = self._workers.checkpoints(model)
        usable = (each for each in jobs if not loaded or self._index.checkpoint(each) in loaded)
        return next(filter(None, map(self._index.record, usable)), None)

    async def _promote(self, entry: Entry) -> None:
        """Publish the message, then update the record: after a crash in between, a worker promotes the job."""
        await self._queue.publish(entry)
        changed = await self._change(entry, promoted(entry.record))
        if changed is not None:
            await self._queue.announce(changed)

    async def _complete(self, entry: Entry, source: JobRecord) -> None:
        if self._index.entry(entry.record.job_id) is not entry:
            return  # another task or gateway changed it
        await ensure_announced(self._bus.require(), entry)
        changed = await self._change(entry, answered(entry.record, source))
        if changed is not None:
            log.info("answered from the cache", job_id=entry.record.job_id, source=source.job_id)
            await self._queue.announce(changed)

    async def _change(self, entry: Entry, record: JobRecord) -> Entry | None:
        """Update the record; after a conflict, apply the other writer's version to the index and return None."""
        try:
            return await self._record_store.update(entry, record)
        except ConflictError:
            current = await self._record_store.fetch(record.job_id)
            if current is None:
                self._index.discard(record.job_id)
            else:
                self._index.apply(current)
            return None
