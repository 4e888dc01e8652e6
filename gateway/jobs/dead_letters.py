"""Listens for advisories about messages that will not be delivered again, and has their jobs repaired at once.

An advisory is only a hint and is sent once: if every gateway misses it, the reconciler finds the job half a minute
later. Every gateway receives each advisory, because a single receiver could crash with it. Concurrent repairs are
harmless: the record's revision and the message's id let one of them succeed.
"""

import asyncio

from nats.aio.msg import Msg

from gateway.index.record_store import RecordStore
from gateway.jobs.queue_reader import job_at, remove_message
from gateway.jobs.reconciler import Reconciler
from shared.advisories import Advisory, MaxDeliveries, Terminated, decode_advisory
from shared.bus import Bus
from shared.errors import DamagedRecordError, UnavailableError
from shared.logs import get_logger
from shared.messages import UNDECODABLE
from shared.publisher import ensure_announced
from shared.records import Entry

log = get_logger(__name__)

# Seconds between two checks of a job. A live worker changes its record in between, even if its acknowledgement came too
# late.
RECHECK_DELAY = 2.0
# Seconds until the next attempt while NATS is away or the queue is full.
RETRY_DELAY = 10.0


class DeadLetters:
    """Messages that the broker gave up or a worker refused, and whose jobs may need a repair."""

    def __init__(self, bus: Bus, record_store: RecordStore, reconciler: Reconciler) -> None:
        self._bus = bus
        self._record_store = record_store
        self._reconciler = reconciler
        self._pending: dict[int, Advisory] = {}
        self._revisions: dict[int, int] = {}  # of the jobs' records at the last check, by sequence number
        self._arrived = asyncio.Event()

    async def on_message(self, message: Msg) -> None:
        """Process an advisory."""
        try:
            advisory = decode_advisory(message.data)
        except UNDECODABLE as error:
            log.warning("not an advisory", subject=message.subject, error=str(error))
            return
        log.warning("dead letter", sequence=advisory.stream_seq, reason=advisory.why)
        if isinstance(advisory, Terminated) and advisory.refused is None:
            return  # the message held no job
        self._pending[advisory.stream_seq] = advisory
        self._arrived.set()

    async def on_connect(self) -> None:
        """Restart the checks: no record could change while NATS was away."""
        self._revisions.clear()

    async def run(self) -> None:
        """Process dead letters until cancelled."""
        while True:
            await self._arrived.wait()
            try:
                await self.process()
            except UnavailableError as error:
                log.info("dead letters not processed yet", error=str(error))
                await asyncio.sleep(RETRY_DELAY)
            if self._pending:
                await asyncio.sleep(RECHECK_DELAY)
            else:
                self._arrived.clear()

    async def process(self) -> None:
        """Repair every job whose record has not changed since the last call; keep the others for the next.

        Raises:
            UnavailableError: if NATS is away, or the queue is full.
        """
        stalled: dict[int, Entry] = {}
        for sequence, advisory in list(self._pending.items()):
            entry = await self._job_of(advisory)
            if entry is None:
                self._drop(sequence)
            elif self._revisions.get(sequence) == entry.revision:
                stalled[sequence] = entry
            else:
                self._revisions[sequence] = entry.revision
        if stalled:
            await self._repair(stalled)

    async def _job_of(self, advisory: Advisory) -> Entry | None:
        """The job's current record; None if there is nothing to repair."""
        try:
            match advisory:
                case MaxDeliveries(stream_seq=sequence):
                    job_id = await job_at(self._bus.require(), sequence)
                case Terminated(refused=refused):
                    job_id = refused[0] if refused else None
            entry = await self._record_store.fetch(job_id) if job_id else None
        except DamagedRecordError as error:
            log.error("dead letter of a damaged record", sequence=advisory.stream_seq, error=str(error))
            return None
        return None if entry is None or entry.record.is_follower else entry

    async def _repair(self, stalled: dict[int, Entry]) -> None:
        unfinished: list[Entry] = []
        for sequence, entry in stalled.items():
            record, advisory = entry.record, self._pending[sequence]
            log.warning("dead letter of a stalled job", job_id=record.job_id, reason=advisory.why)
            if not record.status.is_terminal:
                unfinished.append(entry)
                continue
            # The process that ended the job may have crashed before publishing its terminal event,
            await ensure_announced(self._bus.require(), entry)
            if isinstance(advisory, MaxDeliveries):
                # or before acknowledging its message. Retention removes leftover files within the hour.
                await remove_message(self._bus.require(), sequence)
        if unfinished:
            refused = [each.refused for each in self._pending.values() if isinstance(each, Terminated)]
            await self._reconciler.repair(unfinished, stalled.keys(), dict(each for each in refused if each))
        for sequence in stalled:
            self._drop(sequence)

    def _drop(self, sequence: int) -> None:
        del self._pending[sequence]
        self._revisions.pop(sequence, None)
