"""The gateway's access to the records bucket: writes go to the bucket first, then to the index."""

from gateway.index.job_index import JobIndex
from shared.bus import Bus
from shared.errors import UnavailableError
from shared.files import Audio, Output
from shared.job_id import is_job_id
from shared.messages import JobRecord
from shared.records import Entry, Records


class RecordStore:
    """The bucket `music_jobs`. `records` is set at each connection to NATS."""

    def __init__(self, bus: Bus, index: JobIndex) -> None:
        self._bus = bus
        self._index = index
        self.records: Records | None = None

    def require(self) -> Records:
        """The bucket.

        Raises:
            UnavailableError: while NATS is away.
        """
        self._bus.require()
        if self.records is None:
            raise UnavailableError("NATS is away (no record bucket yet); reconnecting continues in the background.")
        return self.records

    async def fetch(self, job_id: str) -> Entry | None:
        """The current record in the bucket; None for an unknown or malformed id.

        Raises:
            DamagedRecordError: if the record is damaged.
            UnavailableError: while NATS is away.
        """
        return await self.require().get(job_id) if is_job_id(job_id) else None

    async def mark_lost(self, job_id: str, file: Audio | Output) -> Entry | None:
        """Mark a file of a job as lost; see `Records.mark_lost`.

        Raises:
            UnavailableError: while NATS is away.
        """
        entry = await self.require().mark_lost(job_id, file)
        if entry is not None:
            self._index.apply(entry)
        return entry

    async def update(self, entry: Entry, record: JobRecord) -> Entry:
        """Replace the record of `entry`.

        Raises:
            ConflictError: if another process changed the record since `entry` was read.
            UnavailableError: while NATS is away.
        """
        changed = await self.require().update(entry, record)
        self._index.apply(changed)
        return changed

    async def replace_damaged(self, record: JobRecord, revision: int) -> Entry:
        """Replace a damaged record.

        Raises:
            ConflictError: if another process repaired or removed it.
            UnavailableError: while NATS is away.
        """
        entry = await self.require().replace_damaged(record, revision)
        self._index.apply(entry)
        return entry

    async def remove(self, entry: Entry) -> None:
        """Delete a record.

        Raises:
            ConflictError: if another process changed the record since `entry` was read.
            UnavailableError: while NATS is away.
        """
        await self.require().remove(entry)
        self._index.discard(entry.record.job_id)
