"""Which jobs have made what, which are making it, and which wait for that: by recipe."""

import asyncio
from collections.abc import Hashable
from datetime import datetime
from typing import TypeVar

from msgspec.structs import replace

from shared.messages import JobRecord, JobStatus

T = TypeVar("T")

Key = Hashable

# Jobs that were answered from the cache, and whose last event may be missing: so many are remembered.
REMEMBERED = 10_000


def take_key(record: JobRecord, *, any_seed: bool = False) -> Key:
    """What two jobs have in common that may share one file; with `any_seed`, two takes of the same piece.

    Nobody gets the audio of another API key. Whatever else keeps two jobs apart belongs here and nowhere else.
    """
    return record.owner, replace(record.recipe, seed=0) if any_seed else record.recipe


class Takes:
    """The jobs of an index by recipe, in the order in which their records changed.

    Attributes:
        changed: the recipes that jobs wait for, and of which something is new.
        news: set when there is one.
        answered: jobs that got another one's audio, and when.
    """

    def __init__(self) -> None:
        self.changed: set[Key] = set()
        self.news = asyncio.Event()
        self.answered: dict[str, datetime] = {}
        self._made: dict[Key, dict[str, None]] = {}
        self._pieces: dict[Key, dict[str, None]] = {}
        self._making: dict[Key, dict[str, None]] = {}
        self._following: dict[Key, dict[str, int]] = {}

    def add(self, record: JobRecord, revision: int) -> None:
        """Take in a record that `remove` has taken out as it was before."""
        key, job_id = take_key(record), record.job_id
        if record.status is JobStatus.COMPLETED and record.keeps_audio:
            self._made.setdefault(key, {})[job_id] = None
            self._pieces.setdefault(take_key(record, any_seed=True), {})[job_id] = None
        elif record.follows and record.status is JobStatus.QUEUED:
            self._following.setdefault(key, {})[job_id] = revision
        elif not record.status.is_terminal:
            self._making.setdefault(key, {})[job_id] = None
        elif record.source is not None and record.completed_at is not None:
            self._note_answered(job_id, record.completed_at)
        self.touch(key)

    def remove(self, record: JobRecord) -> None:
        """Forget a record as it was."""
        key = take_key(record)
        _drop(self._made, key, record.job_id)
        _drop(self._making, key, record.job_id)
        _drop(self._following, key, record.job_id)
        if record.status is JobStatus.COMPLETED:
            _drop(self._pieces, take_key(record, any_seed=True), record.job_id)
        self.touch(key)

    def made(self, key: Key) -> list[str]:
        """The jobs whose audio is of this recipe, the latest first."""
        return list(reversed(self._made.get(key, {})))

    def pieces(self, key: Key) -> list[str]:
        """The same for a recipe of any seed: `key` is one made with `any_seed`."""
        return list(reversed(self._pieces.get(key, {})))

    def making(self, key: Key) -> str | None:
        """A job of this recipe that is queued or being made, if there is one."""
        return next(iter(self._making.get(key, {})), None)

    def following(self, key: Key) -> list[str]:
        """The jobs that wait for that, in the order in which they came."""
        jobs = self._following.get(key, {})
        return sorted(jobs, key=jobs.__getitem__)

    def followed(self) -> list[Key]:
        """Every recipe that a job waits for."""
        return list(self._following)

    def touch(self, key: Key) -> None:
        """Have somebody look at the jobs that wait for this recipe."""
        if key in self._following:
            self.changed.add(key)
            self.news.set()

    def _note_answered(self, job_id: str, moment: datetime) -> None:
        self.answered[job_id] = moment
        if len(self.answered) > REMEMBERED:
            del self.answered[next(iter(self.answered))]


def _drop(jobs: dict[Key, dict[str, T]], key: Key, job_id: str) -> None:
    found = jobs.get(key)
    if found is not None and job_id in found:
        del found[job_id]
        if not found:
            del jobs[key]
