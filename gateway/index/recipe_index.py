"""Unfinished jobs by recipe: leaders and followers; and jobs that just ended."""

import asyncio
from datetime import datetime
from typing import TypeVar

from gateway.index.recipe_key import Key, recipe_key
from shared.bounded import BoundedDict
from shared.messages import JobRecord, JobStatus

T = TypeVar("T")

# Jobs that ended without a worker and are remembered, because their terminal event may be missing.
REMEMBERED = 10_000


class RecipeIndex:
    """The unfinished jobs of an index by recipe, in the order in which their records changed.

    Attributes:
        changed: followed recipes whose jobs changed since the last `wait_changed`.
    """

    def __init__(self) -> None:
        self.changed: set[Key] = set()
        self._has_changed = asyncio.Event()
        self._ended = BoundedDict[str, datetime](REMEMBERED)
        self._active: dict[Key, dict[str, None]] = {}
        self._followers: dict[Key, dict[str, int]] = {}

    def add(self, record: JobRecord, revision: int) -> None:
        """Add a record. If the job is known, `remove` its previous record first."""
        job_id = record.job_id
        if record.status.is_terminal:
            if not (record.can_be_shared or record.claims) and record.completed_at is not None:
                self.note_ended(job_id, record.completed_at)
            self._mark_record(record)
            return
        key = recipe_key(record)
        if record.is_follower and record.status is JobStatus.QUEUED:
            self._followers.setdefault(key, {})[job_id] = revision
        else:
            self._active.setdefault(key, {})[job_id] = None
        self.mark_changed(key)

    def remove(self, record: JobRecord) -> None:
        """Remove a record that is equal to the one that was added."""
        if not record.status.is_terminal:
            key = recipe_key(record)
            _drop(self._active, key, record.job_id)
            _drop(self._followers, key, record.job_id)
        self._mark_record(record)

    def active(self, key: Key) -> str | None:
        """A queued or running job of this recipe that is no follower: the leader."""
        return next(iter(self._active.get(key, {})), None)

    def followers(self, key: Key) -> list[str]:
        """The jobs that wait for a leader of this recipe, in the order of their revisions."""
        jobs = self._followers.get(key, {})
        return sorted(jobs, key=jobs.__getitem__)

    def followed_recipes(self) -> list[Key]:
        """Every recipe that has followers."""
        return list(self._followers)

    def mark_changed(self, key: Key) -> None:
        """Wake `wait_changed` if the recipe has followers."""
        if key in self._followers:
            self.changed.add(key)
            self._has_changed.set()

    def _mark_record(self, record: JobRecord) -> None:
        if self._followers:  # keys are costly
            self.mark_changed(recipe_key(record))

    def note_ended(self, job_id: str, moment: datetime) -> None:
        """Note a job that a gateway ended, in case that gateway crashed before publishing the terminal event."""
        self._ended[job_id] = moment

    def correct_ended(self, job_id: str, moment: datetime) -> None:
        """Replace the time of a noted job by the broker's."""
        if job_id in self._ended:
            self._ended[job_id] = moment

    async def wait_changed(self) -> set[Key]:
        """Wait for changes of followed recipes; returns these recipes and resets `changed`."""
        await self._has_changed.wait()
        self._has_changed.clear()
        changed, self.changed = self.changed, set()
        return changed

    def drain_ended(self) -> dict[str, datetime]:
        """The noted jobs and their times; the next call does not return them again."""
        ended = dict(self._ended)
        self._ended.clear()
        return ended


def _drop(jobs: dict[Key, dict[str, T]], key: Key, job_id: str) -> None:
    found = jobs.get(key)
    if found is not None and job_id in found:
        del found[job_id]
        if not found:
            del jobs[key]
