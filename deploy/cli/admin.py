"""`musicgen admin`: operator commands on one job. Every command is safe to repeat.

Like the rest of the system, they change records only by compare-and-set, and only as shared/transitions.py allows.
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
from gateway.jobs.queue_reader import QueueReader, remove_message
from shared import subjects
from shared.bus import AWAY, Bus, flush
from shared.errors import ConflictError, MusicgenError, UnavailableError
from shared.job_id import is_job_id
from shared.messages import LIFECYCLE, JobStatus, job_of
from shared.publisher import ensure_announced, is_announced, publish_job
from shared.records import Entry, Records
from shared.topology import ACK_WAIT, EVENTS
from shared.transitions import failed

# Workers update the records of their jobs about every second; after this many silent seconds a worker counts as gone.
WORKER_TIMEOUT = 5.0
MAX_REASON_LENGTH = 500


class JobAdmin:
    """Operator actions on jobs. Each method returns a sentence on what was done and what happens next."""

    def __init__(self, bus: Bus, records: Records) -> None:
        self._bus = bus
        self._js = bus.js
        self._records = records

    async def fail(self, job_id: str, reason: str) -> str:
        """Mark an unfinished job as failed.

        Raises:
            MusicgenError: if it is completed or cancelled.
        """
        before, entry = await self._end_as_failed(job_id, reason)
        await ensure_announced(self._js, entry)
        # Makes its worker read the record at once and find out that it has lost the job.
        await self._bus.client.publish(subjects.cancel_subject(job_id))
        await flush(self._bus.client)
        if before.record.claims == 0:
            await self._remove_messages(job_id)
        if before.record.status.is_terminal:
            return f"{job_id} had already failed: {entry.record.error_message}"
        if before.record.claims == 0:
            return f"{job_id} is marked as failed and removed from the queue; no worker had claimed it."
        return f"{job_id} is marked as failed. Its worker stops working on it and deletes its stored files."

    async def _end_as_failed(self, job_id: str, reason: str) -> tuple[Entry, Entry]:
        """Return the record before and after the change."""
        while True:
            found = await self._find(job_id)
            record = found.record
            if record.status is JobStatus.FAILED:
                return found, found
            if record.status.is_terminal:
                raise MusicgenError(f"{job_id} is already {record.status.value} and cannot be failed.")
            # Publish the current state first: no event, such as a late claim, may follow a terminal event.
            await ensure_announced(self._js, found)
            try:
                return found, await self._records.update(found, failed(record, reason))
            except ConflictError:
                continue  # a worker reported progress: read again

    async def requeue(self, job_id: str) -> str:
        """Queue a job again that has no message, or whose message has run out of deliveries.

        Raises:
            MusicgenError: if it is finished, is a follower, or its worker is still working on it.
        """
        entry = await self._find(job_id)
        record = entry.record
        if record.status.is_terminal:
            raise MusicgenError(
                f"{job_id} is {record.status.value}. To generate it again, send its recipe as a new job."
            )
        if record.is_follower:
            raise MusicgenError(f"{job_id} follows an equal job and needs no message; the gateway finishes it.")
        if record.status is JobStatus.PROCESSING and await self._is_being_processed(entry):
            raise MusicgenError(
                f"{record.worker_id} is working on {job_id}. Stop that worker first, or wait until it is done."
            )
        await ensure_announced(self._js, entry)
        queue = await QueueReader().read(self._bus.client)
        if job_id in queue.deliverable:
            when = f" within {ACK_WAIT:g} s" if record.status is JobStatus.PROCESSING else ""
            return f"{job_id} is in the queue, message {queue.deliverable[job_id]}. A worker will receive it{when}."
        if job_id in queue.stranded:
            await remove_message(self._js, queue.stranded[job_id])
        number = await publish_job(self._js, job_of(record), record.traceparent, again=f"{entry.revision}.{queue.last}")
        return (
            f"{job_id} is queued again, message {number}. The next free {record.recipe.model} worker will receive it."
        )

    async def announce(self, job_id: str) -> str:
        """Publish the event of a job's current state, if it is missing."""
        entry = await self._find(job_id)
        subject = subjects.event_subject(job_id, entry.record.status.value)
        if await is_announced(self._js, entry):
            return f"{job_id} is already announced on {subject}."
        await ensure_announced(self._js, entry)
        if not await is_announced(self._js, entry):
            # The stream was emptied, but NATS still deduplicates by the earlier message id.
            raise MusicgenError(
                f"NATS rejects the event on {subject} as a duplicate. Try again in {EVENTS.duplicate_window:g} s."
            )
        return f"{job_id} is announced on {subject}. Subscribed clients receive the event now."

    async def mark_lost(self, job_id: str) -> str:
        """Mark a job's stored audio as lost.

        Raises:
            MusicgenError: if it has no audio, or shares the audio of another job.
        """
        record = (await self._find(job_id)).record
        if record.audio is None:
            raise MusicgenError(f"{job_id} is {record.status.value} and has no audio.")
        if record.source:
            raise MusicgenError(f"{job_id} shares the audio of {record.source}. Mark that job instead.")
        if record.expired_at:
            return (
                f"The audio of {job_id} is already marked as lost or expired. Its download answers 410 with the recipe."
            )
        await self._records.mark_lost(job_id)
        return (
            f"The audio of {job_id} is marked as lost. Its download answers 410 with the recipe; send the recipe to "
            "generate the audio again. A worker deletes any remaining files after a day."
        )

    async def show(self, job_id: str) -> str:
        """Return the record, its revision, its message and its events as JSON."""
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
            raise MusicgenError(f"{job_id!r} is not a job id. List the jobs with `musicgen jobs`.")
        entry = await self._records.get(job_id)
        if entry is None:
            raise MusicgenError(f"There is no record of {job_id}. List the jobs with `musicgen jobs`.")
        return entry

    async def _is_being_processed(self, entry: Entry) -> bool:
        """Return whether a worker updates the record within WORKER_TIMEOUT."""
        deadline = time.monotonic() + WORKER_TIMEOUT
        while time.monotonic() < deadline:
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
    """Return the reason as the client will see it.

    Raises:
        MusicgenError: if it is empty or too long.
    """
    checked = plain(reason).strip()
    if not 0 < len(checked) <= MAX_REASON_LENGTH:
        raise MusicgenError(
            f"Give a --reason of 1 to {MAX_REASON_LENGTH} characters; the client sees it as the error message."
        )
    return checked


@asynccontextmanager
async def _job_admin(data_dir: Path | None) -> AsyncIterator[JobAdmin]:
    async with connected_bus(admin_environment(data_dir)) as bus:
        yield JobAdmin(bus, await open_records(bus))


async def administer(action: str, job_id: str, reason: str | None, data_dir: Path | None) -> None:
    """Run one action on one job and print the outcome.

    Raises:
        MusicgenError: if the action does not apply to this job, or NATS is unreachable.
    """
    checked = check_reason(reason) if reason is not None else ""
    async with _job_admin(data_dir) as admin:
        match action:
            case "fail":
                outcome = await admin.fail(job_id, checked)
            case "requeue":
                outcome = await admin.requeue(job_id)
            case "announce":
                outcome = await admin.announce(job_id)
            case "lost":
                outcome = await admin.mark_lost(job_id)
            case _:
                outcome = await admin.show(job_id)
    print(plain(outcome, keep="\n"))
