"""Answers a recipe that was made before with its audio, and has equal jobs that come together made once.

A request that may be answered so becomes a job that *follows*: its record says so, and it has no message in the queue.
Whoever finds that its audio is there completes it; whoever finds that nobody makes it has the first one queued. All
gateways look, at every change and every ten seconds, so that a gateway's death between two steps only delays. Which
of two is the first is told by the revisions of the records, which are the same for all of them.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from gateway import metrics
from gateway.index.job_index import JobIndex
from gateway.index.recipe_index import Key, recipe_key
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

# Jobs that ended so lately without a worker may lack their last event; the broker recognises one that it has.
ANNOUNCE_WINDOW = timedelta(minutes=30)


class Stored(msgspec.Struct, frozen=True):
    """The stored audio of `source` answers the job."""

    source: JobRecord


class Follow(msgspec.Struct, frozen=True):
    """The job waits for the equal job `leader`."""

    leader: str


class Enqueue(msgspec.Struct, frozen=True):
    """A worker has to run the job.

    Attributes:
        is_shareable: whether the job may share audio with equal jobs. Its record then begins as a follower, so that
            of equal jobs that arrive at several gateways at once only the first is queued.
    """

    is_shareable: bool = True


Decision = Stored | Follow | Enqueue


class ResultCache:
    """Completes jobs that follow, or has them made."""

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
        """How a new job gets its audio, as far as this gateway knows.

        `begin` decides again once the job has a record, because other gateways may have accepted equal jobs.
        """
        if reuse == "none":
            return Enqueue(is_shareable=False)
        if reuse == "any":
            jobs = self._by_recipe.completed_any_seed(recipe_key(record, any_seed=True))
            if source := self._usable(jobs, record.recipe.model):
                return Stored(source)
        return self._decide(recipe_key(record), record.recipe.model)

    def _decide(self, key: Key, model: str) -> Decision:
        if source := self._usable(self._by_recipe.completed(key), model):
            return Stored(source)
        if leader := self._by_recipe.active(key):
            return Follow(leader)
        return Enqueue()

    async def begin(self, entry: Entry) -> JobRecord:
        """Answer a new job that follows, have it made, or let it wait; returns its record as that left it.

        Raises:
            QueueFullError, UnavailableError: if it cannot be made now.
        """
        key, job_id = recipe_key(entry.record), entry.record.job_id
        self._index.apply(entry)
        self._beginning.add(key)
        try:
            await self._settle(key, job_id)
        finally:
            self._beginning.discard(key)
            self._by_recipe.mark_changed(key)
        record = self._index.known(job_id)
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
        """Settle whatever changes, until cancelled."""
        while True:
            changed = await self._by_recipe.wait_changed()
            await self._settle_all(changed - self._beginning)

    async def settle_orphans(self) -> None:
        """What is left of a gateway that died: jobs that wait for nobody, and ends that nobody has told.

        Raises:
            UnavailableError: while NATS is away.
        """
        await self._settle_all(self._by_recipe.followed_recipes())
        # Not those of the last seconds: whoever ended them is just telling that.
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
            return  # told when it is put back
        if entry is not None:
            await ensure_announced(self._bus.require(), entry)

    async def _settle_all(self, keys: Collection[Key]) -> None:
        for key in keys:
            try:
                await self._settle(key)
            except UnavailableError as error:
                log.info("jobs that follow wait", error=str(error))

    async def _settle(self, key: Key, only: str | None = None) -> None:
        """Complete the jobs that follow, or only that one, if their audio is there.

        If it is not and nobody makes it, have the first of them made.
        """
        await self._see_all(key)
        while following := [each for each in self._entries(key) if only in (None, each.record.job_id)]:
            match self._decide(key, following[0].record.recipe.model):
                case Stored(source):
                    await self._answer(following, source)
                case Follow():
                    return
                case Enqueue():
                    await self._promote(self._entries(key)[0])
                    return

    async def _answer(self, followers: list[Entry], source: JobRecord) -> None:
        """Complete the followers, unless the audio of `source` turns out to be gone: the index then says so."""
        if not await self._usage.touch(source):
            self._index.discard(source.job_id)  # the feed has not brought the change yet
        elif not await self._is_lost(source):
            for entry in followers:
                await self._complete(entry, source)

    async def _is_lost(self, source: JobRecord) -> bool:
        """Whether the store lacks a file of the job, which its record then says. While S3 is away that is not known."""
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

    async def _see_all(self, key: Key) -> None:
        """Wait until everything is known that was there before the latest of these jobs, on whichever gateway."""
        following = self._entries(key)
        if following:
            await self._index.wait_for(following[-1].revision)

    def _entries(self, key: Key) -> list[Entry]:
        return [entry for job_id in self._by_recipe.followers(key) if (entry := self._index.entry(job_id))]

    def _usable(self, jobs: list[str], model: str) -> JobRecord | None:
        """The first that was made with what workers have loaded as `model` now; without workers nobody can tell."""
        loaded = self._workers.checkpoints(model)
        usable = (each for each in jobs if not loaded or self._index.checkpoint(each) in loaded)
        return next(filter(None, map(self._index.known, usable)), None)

    async def _promote(self, entry: Entry) -> None:
        """Message, then record: who dies between the two leaves the job in the queue, and a worker does the rest."""
        await self._queue.publish(entry)
        changed = await self._change(entry, promoted(entry.record))
        if changed is not None:
            await self._queue.announce(changed)

    async def _complete(self, entry: Entry, source: JobRecord) -> None:
        if self._index.entry(entry.record.job_id) is not entry:
            return  # somebody was faster
        await ensure_announced(self._bus.require(), entry)
        changed = await self._change(entry, answered(entry.record, source))
        if changed is not None:
            log.info("answered from the cache", job_id=entry.record.job_id, source=source.job_id)
            await self._queue.announce(changed)

    async def _change(self, entry: Entry, record: JobRecord) -> Entry | None:
        """Write the record, or take in what somebody else has made of it."""
        try:
            return await self._record_store.update(entry, record)
        except ConflictError:
            current = await self._record_store.fetch(record.job_id)
            if current is None:
                self._index.discard(record.job_id)
            else:
                self._index.apply(current)
            return None
