"""Removes the oldest records of jobs that keep no audio, where there are too many records.

A cached answer costs nothing to make, so thousands may come in a minute, with or without a worker. Each key is charged
for its own. A record that keeps audio stays until a worker's retention removes both: the gateway deletes no audio.
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

# Seconds between two looks at the counts.
INTERVAL = 1.0
# Seconds until the next look after one at which there were too many and none could go.
BLOCKED_INTERVAL = 10.0
# Records are brought down to this share of a limit, so that there is room before the limit is reached.
TARGET_SHARE = 0.9
# For so long the client of a job that has ended may still look for it.
GRACE = timedelta(minutes=1)
# Records removed in one turn, and how many of them at the same time.
BATCH, CONCURRENCY = 1000, 50


class RecordTrimmer:
    """One gateway's part in it. Several may choose the same records: the compare-and-set removes each once."""

    def __init__(self, index: JobIndex, record_store: RecordStore, key_records: int) -> None:
        self._index = index
        self._record_store = record_store
        self._key_records = key_records

    async def run(self) -> None:
        """Trim whenever there are too many records, until cancelled."""
        while True:
            try:
                removed = await self.trim()
            except UnavailableError as error:
                log.info("removing records later", error=str(error))
                removed = 0
            if removed == 0:
                await asyncio.sleep(BLOCKED_INTERVAL if self._excess() else INTERVAL)

    async def trim(self) -> int:
        """Remove a batch of what is too much; returns how many records that were.

        Raises:
            UnavailableError: while NATS is away.
        """
        return sum([await self._reduce(owner, excess) for owner, excess in self._excess()])

    def _excess(self) -> list[tuple[str | None, int]]:
        """By how many records each key is over its share, and last, as None, all of them together."""
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
        """What may go, oldest first. What counts for a key's day stays for that day, or its limit could be evaded."""
        moment = self._index.broker_time()
        for summary in self._index.oldest(owner):
            counts = owner is not None and summary.charged > 0 and moment - summary.created_at < QUOTA_DAY
            if summary.keeps_audio or not summary.status.is_terminal or moment - summary.updated_at <= GRACE or counts:
                continue
            record = summary.record
            if not record.lost or moment - summary.updated_at > LOST_KEPT:
                yield Entry(record, summary.revision)

    async def _remove(self, entry: Entry) -> bool:
        try:
            await self._record_store.remove(entry)
        except ConflictError:
            return False  # it was used just now, or another gateway removed it
        return True
