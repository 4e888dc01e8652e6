"""Which jobs have made what, which are making it, and which wait for that: by recipe."""

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

# Jobs remembered that ended without a worker, and whose last event may be missing.
REMEMBERED = 10_000


def recipe_key(record: JobRecord, *, any_seed: bool = False) -> Key:
    """What two jobs have in common that may share one file; with `any_seed`, two takes of the same piece.

    Nobody gets the audio of another API key. Whatever else keeps two jobs apart belongs here and nowhere else. Only the
    digest is kept: there may be 100,000 of them, and only equality is asked for.
    """
    recipe = record.recipe
    alike = replace(
        recipe,
        seed=0 if any_seed else recipe.seed,
        # Numbers that are equal are written alike: 10 as 10.0, and -0.0 as 0.0.
        duration=recipe.duration + 0.0,
        temperature=recipe.temperature + 0.0,
        top_p=recipe.top_p + 0.0,
        cfg_coef=recipe.cfg_coef + 0.0,
    )
    return blake2b(_encode((record.owner, alike)), digest_size=16).digest()


class _Groups:
    """Jobs by key, in the order in which they came. Most are alone with theirs, and need no dict for that."""

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
        """Forget a job; one that is not there is fine."""
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
        changed: the recipes that jobs wait for, and of which something is new.
        news: set when there is one.
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
        """Take in a record that `remove` has taken out as it was before."""
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
        """Forget a record as it was."""
        key = recipe_key(record)
        self._completed.remove(key, record.job_id)
        _drop(self._active, key, record.job_id)
        _drop(self._followers, key, record.job_id)
        if record.status is JobStatus.COMPLETED:
            self._completed_any_seed.remove(recipe_key(record, any_seed=True), record.job_id)
        self.mark_changed(key)

    def completed(self, key: Key) -> list[str]:
        """The jobs whose audio is of this recipe, the latest first."""
        return self._completed.newest_first(key)

    def completed_any_seed(self, key: Key) -> list[str]:
        """The same for a recipe of any seed: `key` is one made with `any_seed`."""
        return self._completed_any_seed.newest_first(key)

    def active(self, key: Key) -> str | None:
        """A job of this recipe that is queued or being made, if there is one."""
        return next(iter(self._active.get(key, {})), None)

    def followers(self, key: Key) -> list[str]:
        """The jobs that wait for that, in the order in which they came."""
        jobs = self._followers.get(key, {})
        return sorted(jobs, key=jobs.__getitem__)

    def followed_recipes(self) -> list[Key]:
        """Every recipe that a job waits for."""
        return list(self._followers)

    def mark_changed(self, key: Key) -> None:
        """Have somebody look at the jobs that wait for this recipe."""
        if key in self._followers:
            self.changed.add(key)
            self._has_changed.set()

    def note_ended(self, job_id: str, moment: datetime) -> None:
        """Have it told, should whoever ended the job not come to that."""
        self._ended[job_id] = moment

    def correct_ended(self, job_id: str, moment: datetime) -> None:
        """Correct the time of an end that was noted: the broker's clock instead of the writer's."""
        if job_id in self._ended:
            self._ended[job_id] = moment

    async def wait_changed(self) -> set[Key]:
        """Wait until the jobs of followed recipes changed; returns those recipes, each change once."""
        await self._has_changed.wait()
        self._has_changed.clear()
        changed, self.changed = self.changed, set()
        return changed

    def drain_ended(self) -> dict[str, datetime]:
        """The noted jobs and their times, each returned once."""
        ended = dict(self._ended)
        self._ended.clear()
        return ended


def _drop(jobs: dict[Key, dict[str, T]], key: Key, job_id: str) -> None:
    found = jobs.get(key)
    if found is not None and job_id in found:
        del found[job_id]
        if not found:
            del jobs[key]
