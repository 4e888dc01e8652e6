"""Job records in the KV bucket: read, and changed only by compare-and-set."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import nats.js.errors
from nats.js.kv import KV_DEL, KV_OP, KeyValue

from shared import metrics, subjects
from shared.atomic_batch import publish_together
from shared.bus import AWAY, WRONG_LAST_SEQUENCE
from shared.errors import ConflictError, DamagedRecordError, UnavailableError
from shared.files import Audio, Output
from shared.messages import UNDECODABLE, JobRecord, encode
from shared.record_rules import flaw
from shared.transition_checks import check
from shared.transitions import file_lost

# JetStream's error code for a bucket without per-message TTLs, made by an early version or an operator: there the
# bucket's own TTL removes deletion markers.
MESSAGE_TTL_DISABLED = 10166
# Seconds for which the deletion marker of a record stays. A gateway that was away longer reads all records again.
MARKER_TTL = 3600.0
# JetStream's error code for a missing stream. It says nothing about the records.
STREAM_NOT_FOUND = 10059

# The key that `prove_writable` deletes; no job can have this id.
NO_RECORD = "trial-write"

_decode = msgspec.json.Decoder(JobRecord).decode


class Entry(NamedTuple):
    """A record and the revision at which it was read: what a compare-and-set compares."""

    record: JobRecord
    revision: int


def encode_record(record: JobRecord) -> bytes:
    """The JSON of a record."""
    return encode(record)


def decode_record(data: bytes) -> JobRecord:
    """A record from its JSON. Raises: msgspec.ValidationError if it is not one."""
    return _decode(data)


def record_at(key: str, data: bytes | None) -> JobRecord:
    """Decode the record stored under a key.

    Raises:
        One of UNDECODABLE: if the value is not a record, breaks a rule of records, or belongs to another job.
    """
    record = _decode(data or b"")
    if record.job_id != key:
        raise msgspec.ValidationError(f"it is the record of {record.job_id[:40]!r}")
    if wrong := flaw(record):
        raise msgspec.ValidationError(wrong)
    return record


class Records:
    """The bucket `music_jobs`. Every method raises UnavailableError while NATS is away.

    `create` is for a new job, `restore` for one whose record expired, `update` for every transition, and
    `replace_damaged` for a value that is no record.
    """

    def __init__(self, bucket: KeyValue) -> None:
        self.bucket = bucket

    async def get(self, job_id: str) -> Entry | None:
        """The current record; None if there is none."""
        try:
            entry = await self.bucket.get(job_id)
        except nats.js.errors.KeyNotFoundError as error:
            if getattr(error.__context__, "err_code", None) == STREAM_NOT_FOUND:
                raise UnavailableError(f"The record of {job_id} cannot be read: the bucket is not there") from error
            return None
        except AWAY as error:
            raise UnavailableError(
                f"The record of {job_id} cannot be read: {error!r}. If it persists, check NATS."
            ) from error
        revision = int(entry.revision or 0)
        try:
            return Entry(record_at(job_id, entry.value), revision)
        except UNDECODABLE as error:
            raise DamagedRecordError(job_id, revision, entry.value or b"", str(error)) from error

    async def create(self, record: JobRecord) -> Entry:
        """Store a new record.

        Raises:
            ConflictError: if the job exists already.
            TransitionError: if the state is not valid for a new job.
        """
        check(None, record)
        return await self._write(record, None)

    async def create_all(self, records: Sequence[JobRecord]) -> list[Entry]:
        """Store new records, all of them or none.

        Raises:
            ConflictError: if one of the jobs exists already.
            TransitionError: if a state is not valid for a new job.
            UnavailableError: if NATS is away, or its bucket does not accept several records at once.
        """
        if len(records) == 1:
            return [await self.create(records[0])]
        for record in records:
            check(None, record)
        try:
            revision = await self._write_together(records, [0] * len(records))
            if revision is None:  # one of them exists, or existed
                revisions = [await self._free_revision(record) for record in records]
                revision = await self._write_together(records, revisions)
        except (nats.js.errors.APIError, *AWAY) as error:
            metrics.FAILED_WRITES.labels("record").inc()
            raise UnavailableError(f"The records of {len(records)} jobs cannot be written: {error!r}") from error
        if revision is None:
            raise ConflictError("One of the jobs was created by another process.")
        return [Entry(record, revision + number) for number, record in enumerate(records)]

    async def restore(self, record: JobRecord) -> Entry:
        """Store a new record for a job whose record has expired.

        Raises:
            ConflictError: if a record exists, or was removed less than `MARKER_TTL` ago.
        """
        check(None, record)
        return await self._write(record, 0)

    async def update(self, entry: Entry, record: JobRecord) -> Entry:
        """Replace what `entry` holds.

        Raises:
            ConflictError: if another process changed the record since `entry` was read.
            TransitionError: if the table of transitions does not allow the change.
        """
        check(entry.record, record)
        return await self._write(record, entry.revision)

    async def replace_damaged(self, record: JobRecord, revision: int) -> Entry:
        """Replace a damaged record. Transitions are not checked, because the damaged state is unknown.

        Args:
            record: the job's last known state, or its failure.
            revision: of the damaged record.

        Raises:
            ConflictError: if another process replaced or removed it.
        """
        return await self._write(record, revision)

    async def remove(self, entry: Entry) -> None:
        """Delete a record: a job that was never announced, or a surplus record.

        Raises:
            ConflictError: if another process changed the record since `entry` was read.
        """
        try:
            await self._mark_deleted(entry)
        except nats.js.errors.APIError as error:
            if error.err_code in WRONG_LAST_SEQUENCE:
                raise ConflictError(f"The record of {entry.record.job_id} was changed by another process.") from error
            raise UnavailableError(f"The record of {entry.record.job_id} cannot be removed: {error!r}") from error
        except AWAY as error:
            raise UnavailableError(f"The record of {entry.record.job_id} cannot be removed: {error!r}") from error

    async def mark_lost(self, job_id: str, file: Audio | Output | None = None) -> Entry | None:
        """Mark a file of a finished job as lost, so that equal requests are generated again.

        If jobs share the file, the record that keeps it is marked. Nothing changes if the file is marked already, if
        the audio has expired, or if the file does not belong to the job.

        Args:
            job_id: the job, or one that shares its files.
            file: the lost file; None for the audio.

        Returns:
            the resulting record of the job that keeps the file; None if there is none.

        Raises:
            UnavailableError: while NATS is away.
        """
        entry = await self.get(job_id)
        if entry is not None and entry.record.source is not None:
            entry = await self.get(entry.record.source)
        while entry is not None and (lost := _kept_file(entry.record, file)) is not None:
            try:
                return await self.update(entry, file_lost(*entry, lost))
            except ConflictError:  # another process changed it: read it again
                entry = await self.get(entry.record.job_id)
        return entry

    async def _mark_deleted(self, entry: Entry) -> None:
        """Delete like `KeyValue.delete`, but with a marker that expires: a starting gateway reads all markers."""
        # Through the bucket's JetStream context, which nats-py does not make public: `delete` takes no TTL.
        subject = subjects.record_subject(entry.record.job_id)
        headers = {KV_OP: KV_DEL, subjects.EXPECTED_LAST: str(entry.revision)}
        try:
            await self.bucket._js.publish(subject, headers=dict(headers), msg_ttl=MARKER_TTL)
        except nats.js.errors.APIError as error:
            if error.err_code != MESSAGE_TTL_DISABLED:
                raise
            await self.bucket._js.publish(subject, headers=headers)

    async def prove_writable(self) -> None:
        """Make a trial write that leaves no trace: delete a key that never existed.

        Raises:
            UnavailableError: with the reason, if the bucket does not accept writes.
        """
        try:
            await self.bucket.delete(NO_RECORD)
        except (nats.js.errors.APIError, *AWAY) as error:
            reason = getattr(error, "description", None) or "no answer"
            raise UnavailableError(
                f"NATS does not store what is written ({reason}). If its disk was full, make room and restart it."
            ) from error

    async def _write_together(self, records: Sequence[JobRecord], revisions: Sequence[int]) -> int | None:
        """Write new records after these revisions; the first one's new revision, or None if a revision is wrong."""
        messages = [
            (subjects.record_subject(record.job_id), encode(record), {subjects.EXPECTED_LAST: str(revision)})
            for record, revision in zip(records, revisions, strict=True)
        ]
        try:
            return await publish_together(self.bucket._js, f"KV_{subjects.JOBS_BUCKET}", messages)
        except nats.js.errors.APIError as error:
            if error.err_code in WRONG_LAST_SEQUENCE:
                return None
            raise

    async def _free_revision(self, record: JobRecord) -> int:
        """The revision after which the record of a new job is written: that of a deletion marker, or 0.

        Raises:
            ConflictError: if the job exists.
        """
        try:
            await self.bucket.get(record.job_id)
        except nats.js.errors.KeyNotFoundError as error:
            return (error.entry.revision or 0) if error.entry else 0
        raise ConflictError(f"The job {record.job_id} exists already.")

    async def _write(self, record: JobRecord, revision: int | None) -> Entry:
        data = encode(record)
        try:
            if revision is None:
                return Entry(record, await self.bucket.create(record.job_id, data))
            return Entry(record, await self.bucket.update(record.job_id, data, last=revision))
        except nats.js.errors.KeyWrongLastSequenceError:
            return await self._resolve_conflict(record)
        except (nats.js.errors.APIError, *AWAY) as error:
            metrics.FAILED_WRITES.labels("record").inc()
            raise UnavailableError(f"The record of {record.job_id} cannot be written: {error!r}") from error

    async def _resolve_conflict(self, record: JobRecord) -> Entry:
        """Resolve a conflict: a retried write whose acknowledgement was lost conflicts with itself."""
        current = await self.get(record.job_id)
        if current is not None and current.record == record:
            return current
        raise ConflictError(f"The record of {record.job_id} was changed by another process.")


def _kept_file(record: JobRecord, file: Audio | Output | None) -> Audio | Output | None:
    """The file (None: the audio), if the record keeps it in the store."""
    wanted = file or record.audio
    if not record.keeps_audio or wanted is None or wanted.key in record.lost:
        return None
    return wanted if wanted in record.files else None
