"""All records by job id, in little memory: those of finished jobs are packed, because there may be 100,000."""

import sys
from datetime import datetime, timedelta
from itertools import takewhile

import msgspec

from gateway.index.record_packing import pack, unpack
from shared.messages import JobRecord, JobStatus
from shared.records import Entry

# Charges count against an API key's daily quota for this long.
QUOTA_DAY = timedelta(days=1)


class JobSummary(msgspec.Struct, frozen=True, gc=False):
    """The fields that are read for thousands of jobs at once, so that no record is unpacked for them.

    Attributes:
        charged: seconds of audio that count against the daily quota of the job's owner.
        keeps_audio: whether files in the store belong to this record.
        content: the record; packed once the job has ended.
    """

    revision: int
    status: JobStatus
    created_at: datetime
    updated_at: datetime
    charged: float
    keeps_audio: bool
    checkpoint: str | None
    content: JobRecord | bytes

    @property
    def record(self) -> JobRecord:
        return unpack(self.content) if isinstance(self.content, bytes) else self.content


class RecordTable:
    """Entries by job id. Questions about many jobs are answered from their summaries.

    Attributes:
        summaries: one for each job; changed by `put` and `remove`.
    """

    def __init__(self) -> None:
        self.summaries: dict[str, JobSummary] = {}
        self._unfinished: dict[str, Entry] = {}

    def entry(self, job_id: str) -> Entry | None:
        """The record and its revision. For an unfinished job it is the same object that `put` received."""
        if found := self._unfinished.get(job_id):
            return found
        summary = self.summaries.get(job_id)
        return Entry(summary.record, summary.revision) if summary else None

    def unfinished(self) -> list[Entry]:
        """Every job that has not ended, in the order of `put`."""
        return list(self._unfinished.values())

    def put(self, entry: Entry) -> None:
        """Add a record, or replace the one of the same job."""
        job_id = entry.record.job_id
        self.remove(job_id)
        self.summaries[job_id] = summarize(entry)
        if not entry.record.status.is_terminal:
            self._unfinished[job_id] = entry

    def remove(self, job_id: str) -> None:
        """Forget a job, known or not."""
        self.summaries.pop(job_id, None)
        self._unfinished.pop(job_id, None)

    def older_than(self, revision: int) -> list[str]:
        """The jobs whose records last changed before `revision`.

        `put` moves a job to the end of the dict, so the oldest records come first. This gateway's own writes may
        precede earlier ones of other gateways; the next call finds those.
        """
        return [job_id for job_id, _ in takewhile(lambda each: each[1].revision < revision, self.summaries.items())]


def summarize(entry: Entry) -> JobSummary:
    """The fields of a record that the table keeps unpacked."""
    record = entry.record
    return JobSummary(
        revision=entry.revision,
        status=record.status,
        created_at=record.created_at,
        updated_at=record.updated_at,
        charged=charged_seconds(record),
        keeps_audio=record.keeps_audio,
        # Most records have the same one: keep one copy.
        checkpoint=None if record.checkpoint is None else sys.intern(record.checkpoint),
        content=pack(record) if record.status.is_terminal else record,
    )


def charged_seconds(record: JobRecord) -> float:
    """The requested duration if the job counts against its key's daily quota, else 0.

    Jobs that were answered from the cache, that failed, or that were cancelled before their first attempt are free.
    """
    if record.source is not None or record.status is JobStatus.FAILED:
        return 0.0
    if record.status is JobStatus.CANCELLED and record.attempts == 0:
        return 0.0
    return record.recipe.duration
