"""Job records in the KV bucket: read, created and changed by compare-and-set only."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, cast

import msgspec
import nats.js.errors
from msgspec.structs import replace
from nats.js.kv import KeyValue

from shared.bus import AWAY
from shared.errors import ConflictError, DamagedRecordError, UnavailableError
from shared.logs import get_logger
from shared.messages import UNDECODABLE, JobRecord, now
from shared.transitions import check

log = get_logger(__name__)

# Seconds without another record after which a reading of all of them is given up.
SILENCE = 10.0
# JetStream's error codes for a compare-and-set that lost.
WRONG_LAST_SEQUENCE = frozenset({10071, 10164})

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(JobRecord).decode


class Entry(NamedTuple):
    """A record and the revision at which it was read: what a compare-and-set compares."""

    record: JobRecord
    revision: int


class Dated(NamedTuple):
    """A record, and when it was last changed by the broker's clock: the clocks of those who wrote may differ."""

    entry: Entry
    changed_at: datetime


def aside(entry: Entry, **fields: Any) -> JobRecord:
    """The record of a finished job with a change that is no news of it: its event keeps the number that it had."""
    return replace(entry.record, seq=entry.record.seq or entry.revision, updated_at=now(), **fields)


def encode_record(record: JobRecord) -> bytes:
    """The JSON of a record."""
    return _encode(record)


def decode_record(data: bytes) -> JobRecord:
    """A record from its JSON. Raises: msgspec.ValidationError if it is not one."""
    return _decode(data)


class Records:
    """The bucket `music_jobs`. Every method raises UnavailableError while NATS is away."""

    def __init__(self, bucket: KeyValue) -> None:
        self.bucket = bucket

    async def get(self, job_id: str) -> Entry | None:
        """The record now, or None if there is none."""
        try:
            entry = await self.bucket.get(job_id)
        except nats.js.errors.KeyNotFoundError:
            return None
        except AWAY as error:
            raise UnavailableError(f"The record of {job_id} cannot be read: {error!r}") from error
        try:
            return Entry(_decode(entry.value or b""), int(entry.revision or 0))
        except UNDECODABLE as error:
            raise DamagedRecordError(f"The record of {job_id} is damaged: {error}. Delete the key {job_id}.") from error

    async def each(self, take: Callable[[Dated], None]) -> None:
        """Hand over every record that can be read, one after the other; one that changes meanwhile may come twice."""
        try:
            watcher = await self.bucket.watchall()
            try:
                await read_all(self.bucket, watcher, lambda update: _take_readable(update, take))
            finally:
                await watcher.stop()  # type: ignore[no-untyped-call]
        except AWAY as error:
            raise UnavailableError(f"The records cannot be read: {error!r}") from error

    async def create(self, record: JobRecord) -> Entry:
        """Store a new record.

        Raises:
            ConflictError: if the job exists already.
            TransitionError: if no job begins like this.
        """
        check(None, record)
        return await self._write(record, None)

    async def update(self, entry: Entry, record: JobRecord) -> Entry:
        """Replace what `entry` holds.

        Raises:
            ConflictError: if somebody else changed the record since `entry` was read.
            TransitionError: if no job changes like this.
        """
        check(entry.record, record)
        return await self._write(record, entry.revision)

    async def remove(self, entry: Entry) -> None:
        """Delete a record: one that was never announced, or that is one too many.

        Raises:
            ConflictError: if somebody else changed the record since `entry` was read.
        """
        try:
            await self.bucket.delete(entry.record.job_id, last=entry.revision)
        except nats.js.errors.APIError as error:
            if error.err_code in WRONG_LAST_SEQUENCE:
                raise ConflictError(f"The record of {entry.record.job_id} was changed by somebody else.") from error
            raise UnavailableError(f"The record of {entry.record.job_id} cannot be removed: {error!r}") from error
        except AWAY as error:
            raise UnavailableError(f"The record of {entry.record.job_id} cannot be removed: {error!r}") from error

    async def _write(self, record: JobRecord, revision: int | None) -> Entry:
        data = _encode(record)
        try:
            if revision is None:
                return Entry(record, await self.bucket.create(record.job_id, data))
            return Entry(record, await self.bucket.update(record.job_id, data, last=revision))
        except nats.js.errors.KeyWrongLastSequenceError:
            return await self._settle(record)
        except (nats.js.errors.APIError, *AWAY) as error:
            raise UnavailableError(f"The record of {record.job_id} cannot be written: {error!r}") from error

    async def _settle(self, record: JobRecord) -> Entry:
        """A write whose answer was lost conflicts with itself when it is tried again: then it is ours."""
        current = await self.get(record.job_id)
        if current is not None and current.record == record:
            return current
        raise ConflictError(f"The record of {record.job_id} was changed by somebody else.")


async def read_all(bucket: KeyValue, watcher: KeyValue.KeyWatcher, take: Callable[[KeyValue.Entry], None]) -> None:
    """Hand over everything that the bucket holds, as its watcher finds it.

    Raises:
        UnavailableError: if nothing comes for `SILENCE` seconds.
    """
    seen = False
    try:
        # One patience for all: with one each, all records would come in while the loop turns for the first ones.
        async with asyncio.timeout(SILENCE) as patience:
            while (update := await next_update(watcher)) is not None or not (seen or await _is_empty(bucket)):
                if update is None:
                    continue  # nats-py takes a bucket for empty whose first record is still on its way
                take(update)
                if update.delta == 0:
                    return
                seen = True
                patience.reschedule(asyncio.get_running_loop().time() + SILENCE)
    except TimeoutError as error:
        raise UnavailableError(f"The broker said nothing for {SILENCE:g} s while the records were read") from error


async def next_update(watcher: KeyValue.KeyWatcher) -> KeyValue.Entry | None:
    """The next change, however long it takes; None once, about where everything that was there has been seen."""
    update: KeyValue.Entry | None = await watcher.updates(timeout=None)  # type: ignore[no-untyped-call]
    return update


async def _is_empty(bucket: KeyValue) -> bool:
    return (await bucket.status()).values == 0


def _take_readable(update: KeyValue.Entry, take: Callable[[Dated], None]) -> None:
    if update.operation is None and (record := _readable(update)) is not None:
        # nats-py calls it a number.
        take(Dated(Entry(record, update.revision or 0), cast(datetime, update.created)))


def _readable(update: KeyValue.Entry) -> JobRecord | None:
    try:
        record = _decode(update.value or b"")
    except UNDECODABLE as error:
        log.warning("not a job record", key=update.key, error=str(error))
        return None
    return record if record.job_id == update.key else None
