"""Jobs by recipe: completed, active and followers."""

import asyncio
from datetime import datetime
from hashlib import blake2b
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from shared.bounded import BoundedDict
from shared.messages import JobRecord, JobStatus

T = TypeVar("T")

Key = bytes

_encode = msgspec.json.Encoder().encode

# Jobs that ended without a worker and are remembered, because their terminal event may be missing.
REMEMBERED = 10_000


def recipe_key(record: JobRecord, *, any_seed: bool = False) -> Key:
    """Jobs with equal keys may share audio. With `any_seed`, recipes that differ only in their seed have equal keys.

    Keys include the owner, so audio is never shared between API keys. Every condition for sharing belongs here. The key
    is a digest, because there may be 100,000 of them and only equality matters.
    """
    recipe = record.recipe
    normalized = replace(
        recipe,
        seed=0 if any_seed else recipe.seed,
        # Equal numbers must encode equally: 10 as 10.0, and -0.0 as 0.0.
        duration=recipe.duration + 0.0,
        temperature=recipe.temperature + 0.0,
        top_p=recipe.top_p + 0.0,
        cfg_coef=recipe.cfg_coef + 0.0,
        bpm=None if recipe.bpm is None else recipe.bpm + 0.0,
        loudness=None if recipe.loudness is None else recipe.loudness + 0.0,
        audio=None if recipe.audio is None else recipe.audio.by_content(),
    )
    return blake2b(_encode((record.owner, normalized)), digest_size=16).digest()


class _Groups:
    """Jobs by key, in the order of `add`. Most keys have one job, which is stored without a dict to save memory."""

    def __init__(self) -> None:
        self._jobs: dict[Key, str | dict[str, None]] = {}

    def add(self, key: Key, job_id: str) -> None:
        known = self._jobs.get(key)
        if known is None:
            self._jobs[key] = job_id
        elif isinstance(known, str):
            self._jobs[key] = {known: None, job_id: None}
        else:
            known[job_id] = None

    def remove(self, key: Key, job_id: str) -> None:
        """Remove a job, present or not."""
        known = self._jobs.get(key)
        if known == job_id:
            del self._jobs[key]
        elif isinstance(known, dict):
            known.pop(job_id, None)
            if not known:
                del self._jobs[key]

    def newest_first(self, key: Key) -> list[str]:
        known = self._jobs.get(key, {})
        return [known] if isinstance(known, str) else list(reversed(known))


class RecipeIndex:
    """The jobs of an index by recipe, in the order in which their records changed.

    Attributes:
        changed: followed recipes whose jobs changed since the last `wait_changed`.
    """

    def __init__(self) -> None:
        self.changed: set[Key] = set()
        self._has_changed = asyncio.Event()
        self._ended = BoundedDict[str, datetime](REMEMBERED)
        self._completed = _Groups()
        self._completed_any_seed = _Groups()
        self._active: dict[Key, dict[str, None]] = {}
        self._followers: dict[Key, dict[str, int]] = {}

    def add(self, record: JobRecord, revision: int) -> None:
        """Add a record. If the job is known, `remove` its previous record first."""
        key, job_id = recipe_key(record), record.job_id
        if record.can_be_shared:
            self._completed.add(key, job_id)
            self._completed_any_seed.add(recipe_key(record, any_seed=True), job_id)
        elif record.is_follower and record.status is JobStatus.QUEUED:
            self._followers.setdefault(key, {})[job_id] = revision
        elif not record.status.is_terminal:
            self._active.setdefault(key, {})[job_id] = None
        elif not record.claims and record.completed_at is not None:
            self.note_ended(job_id, record.completed_at)
        self.mark_changed(key)

    def remove(self, record: JobRecord) -> None:
        """Remove a record that is equal to the one that was added."""
        key = recipe_key(record)
        self._completed.remove(key, record.job_id)
        _drop(self._active, key, record.job_id)
        _drop(self._followers, key, record.job_id)
        if record.status is JobStatus.COMPLETED:
            self._completed_any_seed.remove(recipe_key(record, any_seed=True), record.job_id)
        self.mark_changed(key)

    def completed(self, key: Key) -> list[str]:
        """Jobs with stored audio of this recipe, newest first."""
        return self._completed.newest_first(key)

    def completed_any_seed(self, key: Key) -> list[str]:
        """Jobs with stored audio of this recipe with any seed, newest first; `key` is made with `any_seed`."""
        return self._completed_any_seed.newest_first(key)

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
