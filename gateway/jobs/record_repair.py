"""Restores records that an operator's edit or another program damaged.

The gateway has every record in memory. It waits a moment first, because a worker that runs the job restores its own
copy. A job that no gateway has in memory fails when a worker receives its message (worker/claim.py); otherwise its
record is left to an operator.
"""

import asyncio
from collections import Counter

from msgspec.structs import replace

from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from shared.bus import Bus
from shared.errors import ConflictError, UnavailableError
from shared.logs import get_logger
from shared.messages import JobRecord
from shared.metrics import DAMAGED
from shared.publisher import ensure_announced, has_ended
from shared.transitions import DAMAGED as DAMAGED_REASON
from shared.transitions import failed_by_damage

log = get_logger(__name__)

# Seconds between two checks. A record that is damaged in both at the same revision is repaired.
INTERVAL = 1.0
# Restores of one record before its job fails: another program keeps damaging it.
RESTORES = 3


class RecordRepair:
    """Repairs damaged records. Of several gateways, the compare-and-set on the revision lets one succeed."""

    def __init__(self, bus: Bus, index: JobIndex, record_store: RecordStore) -> None:
        self._bus = bus
        self._index = index
        self._record_store = record_store
        self._seen: dict[str, int] = {}
        self._left: dict[str, int] = {}
        self._restored: Counter[str] = Counter()

    async def run(self) -> None:
        """Repair damaged records, until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await self.repair_damaged()
            except UnavailableError as error:
                log.info("records not repaired yet", error=str(error))

    async def repair_damaged(self) -> None:
        """Repair the records that were damaged at the last call, too.

        Raises:
            UnavailableError: while NATS is away.
        """
        damaged = dict(self._index.damaged)
        self._left = {job_id: at for job_id, at in self._left.items() if damaged.get(job_id) == at}
        for job_id, revision in damaged.items():
            if self._seen.get(job_id) == revision and job_id not in self._left:
                await self._repair(job_id, revision)
        self._seen = damaged

    async def _repair(self, job_id: str, revision: int) -> None:
        replacement = await self._replacement(job_id)
        if replacement is None:
            log.error(
                "damaged record not repaired: restore it with `nats kv put`, or remove it",
                job_id=job_id,
                remedy=f"nats kv del music_jobs {job_id}",
            )
            DAMAGED.labels("left").inc()
            self._left[job_id] = revision
            return
        try:
            entry = await self._record_store.replace_damaged(replacement, revision)
        except ConflictError:
            return  # a worker or another gateway repaired it
        outcome = "failed" if replacement.error_message == DAMAGED_REASON else "restored"
        log.warning("damaged record replaced", job_id=job_id, outcome=outcome)
        DAMAGED.labels(outcome).inc()
        self._restored[job_id] += 1
        if replacement.status.is_terminal:
            await ensure_announced(self._bus.require(), entry)

    async def _replacement(self, job_id: str) -> JobRecord | None:
        """The record to restore; None if it is unknown, or if a terminal event is announced that it does not have."""
        known = self._index.entry(job_id)
        if known is None:
            return None
        if known.record.status.is_terminal:
            often = self._restored[job_id] >= RESTORES
            return None if often else replace(known.record, seq=known.record.seq or known.revision)
        if await has_ended(self._bus.require(), job_id):
            return None
        return failed_by_damage(known.record) if self._restored[job_id] >= RESTORES else known.record
