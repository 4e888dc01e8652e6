"""Hears of messages that nobody gets again, and has their jobs mended at once.

An advisory only says where to look, and is sent once: whoever is away misses it, and the sweep finds the job half a
minute later. Every gateway hears each of them, because one that was the only one to hear may die with it. That all act
is as harmless as with sweeps: the record's revision and the message's id let one of them succeed.
"""

import asyncio

from nats.aio.msg import Msg

from gateway.index.record_store import RecordStore
from gateway.jobs.queue_scan import job_at, remove_message
from gateway.jobs.reconciler import Reconciler
from shared.advisories import Advisory, MaxDeliveries, Terminated, decode_advisory
from shared.bus import Bus
from shared.errors import DamagedRecordError, UnavailableError
from shared.logs import get_logger
from shared.messages import UNDECODABLE
from shared.publisher import ensure_announced
from shared.records import Entry

log = get_logger(__name__)

# Seconds between two looks at a job. A worker that lives moves its record in between, even one whose word that it does
# came too late to the broker.
RECHECK_DELAY = 2.0
# Seconds until the next try while NATS is away, or the queue is full.
RETRY = 10.0


class DeadLetters:
    """The messages that were given up or refused and whose jobs may need help."""

    def __init__(self, bus: Bus, record_store: RecordStore, reconciler: Reconciler) -> None:
        self._bus = bus
        self._record_store = record_store
        self._reconciler = reconciler
        self._letters: dict[int, Advisory] = {}
        self._seen: dict[int, int] = {}  # the revision of a letter's job at the last look
        self._came = asyncio.Event()

    async def on_message(self, message: Msg) -> None:
        """Take an advisory."""
        try:
            letter = decode_advisory(message.data)
        except UNDECODABLE as error:
            log.warning("not an advisory", subject=message.subject, error=str(error))
            return
        log.warning("dead letter", sequence=letter.stream_seq, reason=letter.why)
        if isinstance(letter, Terminated) and letter.refused is None:
            return  # it was no job, or nobody can say which
        self._letters[letter.stream_seq] = letter
        self._came.set()

    async def on_connect(self) -> None:
        """NATS was away, so that nothing could move: begin to wait anew."""
        self._seen.clear()

    async def run(self) -> None:
        """Look at dead letters until each is settled, until cancelled."""
        while True:
            await self._came.wait()
            try:
                await self.look()
            except UnavailableError as error:
                log.info("looking at dead letters later", error=str(error))
                await asyncio.sleep(RETRY)
            if self._letters:
                await asyncio.sleep(RECHECK_DELAY)
            else:
                self._came.clear()

    async def look(self) -> None:
        """Mend every job that stands where it stood at the last look, and keep those that move in mind.

        Raises:
            UnavailableError: if NATS is away, or the queue is full.
        """
        still: dict[int, Entry] = {}
        for sequence, letter in list(self._letters.items()):
            entry = await self._job_of(letter)
            if entry is None:
                self._settle(sequence)
            elif self._seen.get(sequence) == entry.revision:
                still[sequence] = entry
            else:
                self._seen[sequence] = entry.revision
        if still:
            await self._repair(still)

    async def _job_of(self, letter: Advisory) -> Entry | None:
        """The job as it is now; None if the letter is nothing to care about any more."""
        try:
            match letter:
                case MaxDeliveries(stream_seq=sequence):
                    job_id = await job_at(self._bus.require(), sequence)
                case Terminated(refused=refused):
                    job_id = refused[0] if refused else None
            entry = await self._record_store.fetch(job_id) if job_id else None
        except DamagedRecordError as error:
            log.error("dead letter of a damaged record", sequence=letter.stream_seq, error=str(error))
            return None
        return None if entry is None or entry.record.is_follower else entry

    async def _repair(self, still: dict[int, Entry]) -> None:
        unfinished: list[Entry] = []
        for sequence, entry in still.items():
            record, letter = entry.record, self._letters[sequence]
            log.warning("dead letter of a job that stands still", job_id=record.job_id, reason=letter.why)
            if not record.status.is_terminal:
                unfinished.append(entry)
                continue
            # Whoever ended it may have died before it could tell.
            await ensure_announced(self._bus.require(), entry)
            if isinstance(letter, MaxDeliveries):
                # Or before the acknowledgement; files that it left are removed within the hour.
                await remove_message(self._bus.require(), sequence)
        if unfinished:
            refused = [each.refused for each in self._letters.values() if isinstance(each, Terminated)]
            await self._reconciler.repair(unfinished, still.keys(), dict(each for each in refused if each))
        for sequence in still:
            self._settle(sequence)

    def _settle(self, sequence: int) -> None:
        del self._letters[sequence]
        self._seen.pop(sequence, None)
