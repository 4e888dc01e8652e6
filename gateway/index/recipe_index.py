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


def take_key(record: JobRecord, *, any_seed: bool = False) -> Key:
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


class Takes:
    """The jobs of an index by recipe, in the order in which their records changed.

    Attributes:
        changed: the recipes that jobs wait for, and of which something is new.
        news: set when there is one.
    """

    def __init__(self) -> None:
        self.changed: set[Key] = set()
        self.news = asyncio.Event()
        self._ended = BoundedDict[str, datetime](REMEMBERED)
        self._made = _Groups()
        self._pieces = _Groups()
        self._making: dict[Key, dict[str, None]] = {}
        self._following: dict[Key, dict[str, int]] = {}

    def add(self, record: JobRecord, revision: int) -> None:
        """Take in a record that `remove` has taken out as it was before."""
        key, job_id = take_key(record), record.job_id
        if record.can_be_shared:
            self._made.add(key, job_id)
            self._pieces.add(take_key(record, any_seed=True), job_id)
        elif record.is_follower and record.status is JobStatus.QUEUED:
            self._following.setdefault(key, {})[job_id] = revision
        elif not record.status.is_terminal:
            self._making.setdefault(key, {})[job_id] = None
        elif not record.claims and record.completed_at is not None:
            self.note_end(job_id, record.completed_at)
        self.touch(key)

    def remove(self, record: JobRecord) -> None:
        """Forget a record as it was."""
        key = take_key(record)
        self._made.remove(key, record.job_id)
        _drop(self._making, key, record.job_id)
        _drop(self._following, key, record.job_id)
        if record.status is JobStatus.COMPLETED:
            self._pieces.remove(take_key(record, any_seed=True), record.job_id)
        self.touch(key)

    def made(self, key: Key) -> list[str]:
        """The jobs whose audio is of this recipe, the latest first."""
        return self._made.newest_first(key)

    def pieces(self, key: Key) -> list[str]:
        """The same for a recipe of any seed: `key` is one made with `any_seed`."""
        return self._pieces.newest_first(key)

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

    def note_end(self, job_id: str, moment: datetime) -> None:
        """Have it told, should whoever ended the job not come to that."""
        self._ended[job_id] = moment

    def date_end(self, job_id: str, moment: datetime) -> None:
        """Correct the time of an end that was noted: the broker's clock instead of the writer's."""
        if job_id in self._ended:
            self._ended[job_id] = moment

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
