"""Removes the oldest records without audio when there are too many records.

Cached results cost no worker time, so thousands may arrive in a minute. Each key's records are limited separately. A
record that keeps audio stays until a worker's retention removes both: the gateway deletes no audio.
"""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

from gateway import metrics
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.index.record_table import QUOTA_DAY
from shared.errors import ConflictError, UnavailableError
from shared.logs import get_logger
from shared.records import Entry
from shared.storage import LOST_KEPT
from shared.topology import MAX_RECORDS

log = get_logger(__name__)

# Seconds between two checks of the counts.
INTERVAL = 1.0
# Seconds until the next check if there were too many records and none could be removed.
BLOCKED_INTERVAL = 10.0
# Records are trimmed to this share of a limit, so that the limit is rarely reached.
TARGET_SHARE = 0.9
# The record of a finished job stays at least this long for its client.
GRACE = timedelta(minutes=1)
# Records removed per pass, and concurrent removals.
BATCH, CONCURRENCY = 1000, 50


class RecordTrimmer:
    """Trims records. Several gateways may choose the same ones; the compare-and-set removes each once."""

    def __init__(self, index: JobIndex, record_store: RecordStore, key_records: int) -> None:
        self._index = index
        self._record_store = record_store
        self._key_records = key_records

    async def run(self) -> None:
        """Trim records while there are too many, until cancelled."""
        while True:
            try:
                removed = await self.trim()
            except UnavailableError as error:
                log.info("records not trimmed yet", error=str(error))
                removed = 0
            if removed == 0:
                await asyncio.sleep(BLOCKED_INTERVAL if self._excess() else INTERVAL)

    async def trim(self) -> int:
        """Remove a batch of excess records; returns their number.

        Raises:
            UnavailableError: while NATS is away.
        """
        return sum([await self._reduce(owner, excess) for owner, excess in self._excess()])

    def _excess(self) -> list[tuple[str | None, int]]:
        """The number of excess records of each key that has any; last, as None, of all keys together."""
        shares: dict[str | None, int] = dict.fromkeys(self._index.owners(), int(self._key_records * TARGET_SHARE))
        shares[None] = int(MAX_RECORDS * TARGET_SHARE)
        over = ((owner, self._index.count(None, owner) - share) for owner, share in shares.items())
        return [(owner, excess) for owner, excess in over if excess > 0]

    async def _reduce(self, owner: str | None, excess: int) -> int:
        chosen = list(islice(self._spare(owner), min(excess, BATCH)))
        removed = 0
        for start in range(0, len(chosen), CONCURRENCY):
            removed += sum(await asyncio.gather(*map(self._remove, chosen[start : start + CONCURRENCY])))
        if removed:
            metrics.TRIMMED.inc(removed)
            log.info("records removed to make room", owner=owner, removed=removed)
        return removed

    def _spare(self, owner: str | None) -> Iterator[Entry]:
        """Removable records, oldest first. Records that count against their key's daily quota stay."""
        moment = self._index.broker_time()
        for entry in self._index.spare(owner, moment - GRACE, created_before=moment - QUOTA_DAY):
            if not entry.record.lost or moment - entry.record.updated_at > LOST_KEPT:
                yield entry

    async def _remove(self, entry: Entry) -> bool:
        try:
            await self._record_store.remove(entry)
        except ConflictError:
            return False  # another process used or removed it
        return True
