"""Check a history against the records, events and files in the broker and the store, once the system is idle."""

import asyncio
import hashlib
import json
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import APIError

from shared import subjects
from shared.bus import AWAY
from shared.storage import Storage
from tests.faults.history import TERMINAL, History
from tests.integration.system import eventually

RECORDS_STREAM = f"KV_{subjects.JOBS_BUCKET}"


@dataclass
class Report:
    """The counts of jobs by outcome, and the problems found.

    Attributes:
        lost: accepted jobs without a record.
        stuck: accepted jobs that are not in a terminal state.
        event_errors: jobs without exactly one terminal event of their state.
        orphans: jobs whose files in storage are not those of the record.
    """

    accepted: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    lost: int = 0
    stuck: int = 0
    event_errors: int = 0
    orphans: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, kind: str, text: str) -> None:
        """Count one more of `lost`, `stuck`, `event_errors` or `orphans`."""
        setattr(self, kind, getattr(self, kind) + 1)
        self.problems.append(f"{kind}: {text}")


async def check_history(nats: Client, storage: Storage, history: History, timeout: float = 60.0) -> Report:
    """Wait until the system is idle, then compare records, events and files with each other and the history."""
    report = Report(accepted=len(history.accepted), problems=list(history.contradictions))
    await _rest(nats, report, timeout)
    records = await _records(nats)
    events = await _events(nats)
    objects = await _objects(storage)
    for job_id in sorted(history.accepted - records.keys()):
        report.add("lost", f"{job_id} has no record")
    for job_id, record in records.items():
        if job_id in history.planted:
            continue
        await _check_job(report, history, storage, record, events[job_id], objects.get(job_id, set()))
    return report


async def _check_job(
    report: Report, history: History, storage: Storage, record: dict[str, Any], events: list[Any], stored: set[str]
) -> None:
    job_id, status = record["job_id"], record["status"]
    if status not in TERMINAL:
        report.add("stuck", f"{job_id} is {status} for ever: {record['message']}")
        return
    setattr(report, status, getattr(report, status) + 1)
    told = [(event["seq"], event["type"]) for event in events]
    if [kind for _, kind in told if kind in TERMINAL] != [status]:
        report.add("event_errors", f"{job_id} is {status}, and its events are {told}")
    # Progress may be late, but never has the seq of a transition or one past the terminal event: clients would show it.
    steps = [number for number, kind in told if kind != "progress"]
    reports = {number for number, kind in told if kind == "progress"}
    if steps != sorted(steps) or reports & set(steps) or max(reports, default=0) > max(steps, default=0):
        report.problems.append(f"the events of {job_id} are out of order: {told}")
    if history.seen.get(job_id, status) != status or (job_id in history.cancelled and status != "cancelled"):
        report.problems.append(f"{job_id} is {status} and was reported as {history.seen.get(job_id, 'cancelled')}")
    # A job answered with the audio of another one has no files.
    has_files = record["audio"] and not record["source"]
    files = [record["audio"], *record["outputs"], *record["extras"]] if has_files else []
    if stored != {file["key"] for file in files}:
        report.add("orphans", f"{job_id} is {status} with {len(files)} files, and storage has {sorted(stored)}")
        return
    for file in files:
        if await asyncio.to_thread(_checksum, storage, file["key"]) != file["sha256"]:
            report.problems.append(f"{file['key']} is not what the record says")


async def _rest(nats: Client, report: Report, timeout: float) -> None:
    js = nats.jetstream()

    async def at_rest() -> bool:
        with suppress(APIError, *AWAY):  # a cluster that just lost a server may not answer
            if (await js.stream_info(subjects.JOBS_STREAM)).state.messages:
                return False
            # A job may have lost its message; the reconciler then queues it again.
            return all(record["status"] in TERMINAL for record in (await _records(nats)).values())
        return False

    try:
        await eventually(at_rest, "every job ends and the queue is empty", timeout)
    except TimeoutError:
        left = (await js.stream_info(subjects.JOBS_STREAM)).state.messages
        report.problems.append(f"the system did not come to rest; messages in the queue: {left}")


async def _records(nats: Client) -> dict[str, dict[str, Any]]:
    found = [json.loads(data) for data in await _read(nats, RECORDS_STREAM) if data]
    return {record["job_id"]: record for record in found}


async def _events(nats: Client) -> defaultdict[str, list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for data in await _read(nats, subjects.EVENTS_STREAM):
        event = json.loads(data)
        found[event["job_id"]].append(event)
    return found


async def _read(nats: Client, stream: str) -> list[bytes]:
    js = nats.jetstream()
    config = ConsumerConfig(ack_policy=AckPolicy.NONE, mem_storage=True, inactive_threshold=10.0)
    consumer = await js.add_consumer(stream, config)
    expected, found = consumer.num_pending or 0, list[bytes]()
    subscription = await js.pull_subscribe_bind(consumer=consumer.name, stream=stream)
    while len(found) < expected:
        found += [message.data for message in await subscription.fetch(min(200, expected - len(found)), timeout=5)]
    await subscription.unsubscribe()
    await js.delete_consumer(stream, consumer.name)
    return found


async def _objects(storage: Storage) -> dict[str, set[str]]:
    found = await asyncio.to_thread(lambda: list(storage._client.list_objects(storage.bucket, "jobs/", recursive=True)))
    by_job: defaultdict[str, set[str]] = defaultdict(set)
    for item in found:
        by_job[str(item.object_name).split("/")[1]].add(str(item.object_name))
    return by_job


def _checksum(storage: Storage, key: str) -> str:
    response = storage._client.get_object(storage.bucket, key)
    try:
        return hashlib.sha256(response.read()).hexdigest()
    finally:
        response.close()
        response.release_conn()
