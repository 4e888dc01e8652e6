"""All records by job. Those of jobs that ended are packed: there may be 100,000, and few of them are asked for."""

import sys
from datetime import datetime
from itertools import takewhile

import msgspec

from gateway.index.charges import charged_seconds
from gateway.index.packing import pack, unpack
from shared.messages import JobRecord, JobStatus
from shared.records import Entry


class Card(msgspec.Struct, frozen=True, gc=False):
    """What is asked of thousands of records at once, so that none of them is unpacked for it.

    Attributes:
        charged: seconds of audio that count for the day of the job's owner.
        keeps_audio: whether files in the store are there because of this record.
        content: the record, packed once the job has ended.
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


class Shelf:
    """A dict of entries by `job_id` in less room. A question about many jobs is answered from their cards.

    Attributes:
        cards: one for each job; changed by `put` and `remove`.
    """

    def __init__(self) -> None:
        self.cards: dict[str, Card] = {}
        self._unfinished: dict[str, Entry] = {}

    def entry(self, job_id: str) -> Entry | None:
        """The record and its revision; of a job that has not ended it is the very entry that was put here."""
        if found := self._unfinished.get(job_id):
            return found
        card = self.cards.get(job_id)
        return Entry(card.record, card.revision) if card else None

    def unfinished(self) -> list[Entry]:
        """Every job that has not ended, in the order in which their records came."""
        return list(self._unfinished.values())

    def put(self, entry: Entry) -> None:
        """Take in a record, in the place of what there is of its job."""
        job_id = entry.record.job_id
        self.remove(job_id)
        self.cards[job_id] = card_of(entry)
        if not entry.record.status.is_terminal:
            self._unfinished[job_id] = entry

    def remove(self, job_id: str) -> None:
        """Forget a job; one that is not here is fine."""
        self.cards.pop(job_id, None)
        self._unfinished.pop(job_id, None)

    def older_than(self, revision: int) -> list[str]:
        """The jobs whose records were last changed before that revision.

        A card is put at the end of the dict whenever its record changes, so the oldest ones come first. What this
        gateway wrote itself may be here before changes that others made earlier: those are found at a later look.
        """
        return [job_id for job_id, _ in takewhile(lambda each: each[1].revision < revision, self.cards.items())]


def card_of(entry: Entry) -> Card:
    """What the shelf keeps of a record."""
    record = entry.record
    return Card(
        revision=entry.revision,
        status=record.status,
        created_at=record.created_at,
        updated_at=record.updated_at,
        charged=charged_seconds(record),
        keeps_audio=record.keeps_audio,
        # The same in most records: it need not be here more than once.
        checkpoint=None if record.checkpoint is None else sys.intern(record.checkpoint),
        content=pack(record) if record.status.is_terminal else record,
    )
