"""Removes audio that has expired, and objects that belong to no job. One worker at a time does it.

It is the workers' to do because they may write to the store anyway: the gateway, which strangers can reach, has a key
that only reads. And what is stored grows only while a worker runs.
"""

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from typing import NamedTuple

import nats.js.errors

from shared.bus import AWAY, Bus
from shared.errors import ConflictError, DamagedRecordError, UnavailableError
from shared.logs import get_logger
from shared.messages import JobRecord
from shared.record_feed import read_records
from shared.records import Records
from shared.settings import Settings
from shared.storage import LOST_KEPT, Storage
from shared.topology import DAY, MAX_RECORDS, TURNS, ensure_streams, ensure_turns
from shared.transitions import expired as expired_record
from worker import metrics
from worker.retention.expiry import Expiring, Used, expiring, surplus
from worker.retention.stored_jobs import StoredJob, stored_jobs

log = get_logger(__name__)

# Seconds between two looks whether there is a turn to take.
LOOK = 20.0
# The records are brought down to this number. Gateways begin earlier, with records that keep no audio
# (gateway/jobs/trimmer.py).
KEPT_RECORDS = MAX_RECORDS * 19 // 20
# … and those of one API key to this share of its limit.
SHARE = 0.9
# What a key asked for within a day counts for its limit of that day, so its record stays for as long.
COUNTED = timedelta(days=1)
# What lies in the store and is nobody's is left alone for this long.
GRACE = timedelta(hours=1)


class Known(NamedTuple):
    """What is remembered of a record during a turn, of which there may be many."""

    revision: int
    used: Used
    is_over: bool
    keeps_audio: bool
    is_lost: bool
    owner: str | None
    source: str | None


class Retention:
    """One worker's part in it, with the limits of its settings."""

    def __init__(self, settings: Settings, bus: Bus, storage: Storage) -> None:
        self._max_age = timedelta(days=settings.max_audio_days)
        self._max_bytes = settings.max_audio_bytes
        self._key_records = int(settings.key_records * SHARE)
        self._replicas = settings.nats_replicas
        self._bus = bus
        self._storage = storage

    async def run(self) -> None:
        """Take a turn whenever there is one to take, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                moment = await self.take_turn()
                if moment is not None:
                    await self.clean(moment)
            except (UnavailableError, nats.js.errors.APIError, *AWAY) as error:
                log.warning("removing what has expired later", error=repr(error))

    async def take_turn(self) -> datetime | None:
        """The present by the broker's clock, or None if somebody has taken this turn already.

        Raises:
            UnavailableError, nats.js.errors.APIError, one of AWAY: while NATS is away.
        """
        js = self._bus.require()
        turns = await ensure_turns(js, self._replicas)
        try:
            revision = await turns.create("retention", b"")
        except (nats.js.errors.KeyWrongLastSequenceError, nats.js.errors.KeyNotFoundError):
            return None  # not found: somebody's turn ended just now, and the next look takes one
        return (await js.get_msg(f"KV_{TURNS.bucket}", seq=revision)).time

    async def clean(self, moment: datetime) -> None:
        """Give up the audio that has expired, and remove what no record keeps. Two may do it at a time.

        Args:
            moment: the present, by the broker's clock.

        Raises:
            UnavailableError: while NATS or S3 is away; another turn does the rest.
        """
        records = Records(await ensure_streams(self._bus.require(), self._replicas))
        await self._compare_lifetimes(records)
        known = await self._known()
        kept = [each.used for each in known.values() if each.keeps_audio]
        for each in expiring(kept, moment, self._max_age, self._max_bytes):
            await self._expire(records, known, each)
        await self._forget_surplus(records, known, moment)
        metrics.STORED.set(sum(each.used.size for each in known.values() if each.keeps_audio))
        await self._sweep(records, known, moment)

    async def _known(self) -> dict[str, Known]:
        known: dict[str, Known] = {}
        async for (record, revision), changed_at in read_records(self._bus.client):
            known[record.job_id] = _known(record, revision, changed_at)
        return known

    async def _compare_lifetimes(self, records: Records) -> None:
        """Without its record nothing tells that audio has expired; how long records live is the operator's to say."""
        lifetime = (await records.bucket.status()).ttl
        if lifetime and lifetime <= self._max_age.total_seconds():
            log.warning(
                "records go before their audio: lower MAX_AUDIO_DAYS, or `nats stream edit KV_music_jobs --max-age=…`",
                record_days=lifetime / DAY,
                max_audio_days=self._max_age / timedelta(days=1),
            )

    async def _expire(self, records: Records, known: dict[str, Known], expired: Expiring) -> None:
        """Give the audio up in its record, which decides; the files go in the same turn or another one.

        A gateway that is about to serve it changes the record too, so that one of the two loses.
        """
        job_id, reason = expired
        entry = await records.get(job_id)
        if entry is None or entry.revision != known[job_id].revision:
            return
        try:
            await records.update(entry, expired_record(*entry))
        except ConflictError:
            return
        log.info("audio expired", job_id=job_id, reason=reason)
        metrics.EXPIRED.labels(reason).inc()
        del known[job_id]

    async def _forget_surplus(self, records: Records, known: dict[str, Known], moment: datetime) -> None:
        """The oldest records of each key that has too many, then of all: first those that keep no audio.

        Audio that other records share stays for its key.
        """
        owned = Counter(each.owner for each in known.values() if each.owner is not None)
        shared = {each.source for each in known.values()}
        for owner, count in owned.items():
            if count > self._key_records:
                own = [each.used for each in known.values() if each.owner == owner and each.is_over]
                spare = [used for used in own if used.job_id not in shared]
                for job_id in surplus(spare, moment, count - self._key_records, COUNTED):
                    await self._forget(records, known, job_id)
        for keeps_audio in (False, True):
            finished = [each.used for each in known.values() if each.is_over and each.keeps_audio is keeps_audio]
            for job_id in surplus(finished, moment, len(known) - KEPT_RECORDS):
                await self._forget(records, known, job_id)

    async def _forget(self, records: Records, known: dict[str, Known], job_id: str) -> None:
        entry = await records.get(job_id)
        if entry is None or entry.revision != known[job_id].revision:
            return
        try:
            await records.remove(entry)
        except ConflictError:
            return
        log.info("record removed to make room", job_id=job_id)
        metrics.FORGOTTEN.inc()
        del known[job_id]

    async def _sweep(self, records: Records, known: dict[str, Known], moment: datetime) -> None:
        """Remove the files that no record keeps. Each record is read anew after its files were seen."""
        async for job in stored_jobs(self._storage):
            seen = known.get(job.job_id)
            if seen is not None and (seen.keeps_audio or not seen.is_over):
                continue
            if seen is not None and seen.is_lost and moment - seen.used.at <= LOST_KEPT:
                continue
            if await _is_waste(records, job, moment):
                await self._storage.remove_job(job.job_id)
                log.info("files removed", job_id=job.job_id)
                metrics.SWEPT.inc()


def _known(record: JobRecord, revision: int, changed_at: datetime) -> Known:
    used = Used(changed_at, record.job_id, _size(record) if record.keeps_audio else 0)
    return Known(
        revision=revision,
        used=used,
        is_over=record.status.is_terminal,
        keeps_audio=record.keeps_audio,
        is_lost=bool(record.lost),
        owner=record.owner,
        source=record.source,
    )


def _size(record: JobRecord) -> int:
    audio = record.audio.size if record.audio else 0
    return audio + sum(output.size for output in record.outputs)


async def _is_waste(records: Records, job: StoredJob, moment: datetime) -> bool:
    """Whether nobody wants the files: what is still being made, or cannot be told, is wanted."""
    try:
        entry = await records.get(job.job_id)
    except DamagedRecordError as error:
        log.warning("files kept", job_id=job.job_id, reason=str(error))
        return False
    if entry is not None and (entry.record.keeps_audio or not entry.record.status.is_terminal):
        return False
    given_up = entry is not None and entry.record.expired_at is not None
    return given_up or moment - job.stored_at > GRACE
