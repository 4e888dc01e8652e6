"""`musicgen admin`: an operator ends, queues, announces or looks at one job. Every command may be repeated.

Records change by compare-and-set and along the table of transitions only, as everywhere.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import nats.js.errors

from deploy.cli.admin_connection import admin_environment, connected_bus, open_records
from deploy.terminal import plain
from gateway.jobs.queue_scan import QueueReader, remove_message
from shared import subjects
from shared.bus import AWAY, Bus
from shared.errors import ConflictError, MusicgenError, UnavailableError
from shared.job_id import is_job_id
from shared.messages import LIFECYCLE, JobStatus, job_of
from shared.publisher import ensure_announced, is_announced, publish_job
from shared.records import Entry, Records
from shared.topology import ACK_WAIT, EVENTS
from shared.transitions import failed

# A worker writes the records of its jobs about every second: one that does not for so many seconds is gone.
WORKER_TIMEOUT = 5.0
MAX_REASON_LENGTH = 500


class JobAdmin:
    """What an operator does to jobs; each method returns what was done and what happens next."""

    def __init__(self, bus: Bus, records: Records) -> None:
        self._bus = bus
        self._js = bus.js
        self._records = records

    async def fail(self, job_id: str, reason: str) -> str:
        """End a job that has not ended as failed.

        Raises:
            MusicgenError: if it has ended otherwise.
        """
        before, entry = await self._end_as_failed(job_id, reason)
        await ensure_announced(self._js, entry)
        # Its worker reads the record at once, and finds that the job is not its own any more.
        await self._bus.client.publish(subjects.cancel_subject(job_id))
        await self._bus.client.flush()
        if before.record.claims == 0:
            await self._remove_messages(job_id)
        if before.record.status.is_terminal:
            return f"{job_id} has failed already: {entry.record.error_message}"
        if before.record.claims == 0:
            return f"{job_id} failed. It is out of the queue; no worker had it."
        return f"{job_id} failed. A worker that has it lets go of it, and removes what was stored of it."

    async def _end_as_failed(self, job_id: str, reason: str) -> tuple[Entry, Entry]:
        """The record before and after."""
        while True:
            found = await self._find(job_id)
            record = found.record
            if record.status is JobStatus.FAILED:
                return found, found
            if record.status.is_terminal:
                raise MusicgenError(f"{job_id} is {record.status.value}, which it stays.")
            # Nothing may follow the announcement of an end, also not that of a claim that its worker has not told yet.
            await ensure_announced(self._js, found)
            try:
                return found, await self._records.update(found, failed(record, reason))
            except ConflictError:
                continue  # a worker reported progress: look again

    async def requeue(self, job_id: str) -> str:
        """Give a job a message that has none, or whose message no worker gets.

        Raises:
            MusicgenError: if it has ended, follows another job, or its worker is at work.
        """
        entry = await self._find(job_id)
        record = entry.record
        if record.status.is_terminal:
            raise MusicgenError(f"{job_id} is {record.status.value}. To make it again, send its recipe as a new job.")
        if record.is_follower:
            raise MusicgenError(f"{job_id} waits for an equal job and needs no message; a gateway looks after it.")
        if record.status is JobStatus.PROCESSING and await self._is_being_processed(entry):
            raise MusicgenError(f"{record.worker_id} works on {job_id}. It is queued again only without its worker.")
        await ensure_announced(self._js, entry)
        queue = await QueueReader().read(self._bus.client)
        if job_id in queue.deliverable:
            when = f" within {ACK_WAIT:g} s" if record.status is JobStatus.PROCESSING else ""
            return f"{job_id} is in the queue, message {queue.deliverable[job_id]}. A worker gets it{when}."
        if job_id in queue.stranded:
            await remove_message(self._js, queue.stranded[job_id])
        number = await publish_job(self._js, job_of(record), record.traceparent, again=f"{entry.revision}.{queue.last}")
        return f"{job_id} is queued again, message {number}. The next free worker of {record.recipe.model} gets it."

    async def announce(self, job_id: str) -> str:
        """Publish the event that tells where a job is, if it is missing."""
        entry = await self._find(job_id)
        subject = subjects.event_subject(job_id, entry.record.status.value)
        if await is_announced(self._js, entry):
            return f"{job_id} is announced already, on {subject}."
        await ensure_announced(self._js, entry)
        if not await is_announced(self._js, entry):
            # The broker knows the message's id from before the stream was emptied.
            raise MusicgenError(
                f"NATS takes no repetition on {subject} for {EVENTS.duplicate_window:g} s. Try again then."
            )
        return f"{job_id} is announced on {subject}. Clients that follow it hear that now."

    async def mark_lost(self, job_id: str) -> str:
        """Note that a job's audio is gone from the store.

        Raises:
            MusicgenError: if it has none, or another job keeps it.
        """
        record = (await self._find(job_id)).record
        if record.audio is None:
            raise MusicgenError(f"{job_id} is {record.status.value} and has no audio that could be lost.")
        if record.source:
            raise MusicgenError(f"{job_id} has the audio of {record.source}. Mark that job.")
        if record.expired_at:
            return f"The audio of {job_id} was given up before. Its download answers 410 with the recipe."
        await self._records.mark_lost(job_id)
        return (
            f"The audio of {job_id} is marked as lost. Its download answers 410 with the recipe, and sending that "
            "has it made again. A worker removes what is left of it after a day."
        )

    async def show(self, job_id: str) -> str:
        """The record, its revision, its message and its events, as JSON."""
        entry = await self._find(job_id)
        queue = await QueueReader().read(self._bus.client)
        events = [await self._last_event(job_id, kind) for kind in (*LIFECYCLE, "progress")]
        shown = {
            "revision": entry.revision,
            "message": queue.deliverable.get(job_id),
            "message_that_no_worker_gets": queue.stranded.get(job_id),
            "record": msgspec.to_builtins(entry.record),
            "events": sorted(filter(None, events), key=lambda event: int(event.get("seq", 0))),
        }
        return plain(json.dumps(shown, indent=2, ensure_ascii=False), keep="\n")

    async def _find(self, job_id: str) -> Entry:
        if not is_job_id(job_id):
            raise MusicgenError(f"{job_id!r} is no job's id. `musicgen jobs` lists them.")
        entry = await self._records.get(job_id)
        if entry is None:
            raise MusicgenError(f"There is no record of {job_id}. `musicgen jobs` lists the jobs.")
        return entry

    async def _is_being_processed(self, entry: Entry) -> bool:
        """Whether its worker writes the record."""
        until = time.monotonic() + WORKER_TIMEOUT
        while time.monotonic() < until:
            await asyncio.sleep(0.2)
            if (await self._find(entry.record.job_id)).revision != entry.revision:
                return True
        return False

    async def _remove_messages(self, job_id: str) -> None:
        queue = await QueueReader().read(self._bus.client)
        for messages in (queue.deliverable, queue.stranded):
            if job_id in messages:
                await remove_message(self._js, messages[job_id])

    async def _last_event(self, job_id: str, kind: str) -> dict[str, Any] | None:
        subject = subjects.event_subject(job_id, kind)
        try:
            message = await self._js.get_last_msg(subjects.EVENTS_STREAM, subject, direct=True)
        except nats.js.errors.NotFoundError:
            return None
        except (nats.js.errors.APIError, *AWAY) as error:
            raise UnavailableError(f"The events of {job_id} cannot be read: {error!r}") from error
        return dict(json.loads(message.data or b"{}"))


def check_reason(reason: str) -> str:
    """The reason as its client will read it.

    Raises:
        MusicgenError: if there is none, or it is too long.
    """
    told = plain(reason).strip()
    if not 0 < len(told) <= MAX_REASON_LENGTH:
        raise MusicgenError(f"Give a --reason of 1 to {MAX_REASON_LENGTH} characters: the job's client reads it.")
    return told


@asynccontextmanager
async def _job_admin(data_dir: Path | None) -> AsyncIterator[JobAdmin]:
    async with connected_bus(admin_environment(data_dir)) as bus:
        yield JobAdmin(bus, await open_records(bus))


async def administer(action: str, job_id: str, reason: str | None, data_dir: Path | None) -> None:
    """Do one thing to one job, and print what it was.

    Raises:
        MusicgenError: if it makes no sense for this job, or NATS is away.
    """
    told = check_reason(reason) if reason is not None else ""
    async with _job_admin(data_dir) as admin:
        match action:
            case "fail":
                said = await admin.fail(job_id, told)
            case "requeue":
                said = await admin.requeue(job_id)
            case "announce":
                said = await admin.announce(job_id)
            case "lost":
                said = await admin.mark_lost(job_id)
            case _:
                said = await admin.show(job_id)
    print(plain(said, keep="\n"))
