"""Stores the audio that a job is made of, before the job is accepted: it then needs its source no more."""

import asyncio
import hashlib
import io
import tempfile
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from gateway.index.job_index import JobIndex
from gateway.jobs.job_service import JobService
from gateway.problems import FieldError, Problem, invalid, too_many
from gateway.uploads.sandbox import cut_excerpt
from gateway.uploads.uploads import Uploads
from shared.audio_conditions import (
    LONGEST_CONTEXT,
    LONGEST_EXCERPT,
    SHORTEST_EXCERPT,
    USUAL_CONTEXT,
    AudioConditions,
    AudioSource,
    ConditionKind,
    checksum,
    excerpt_key,
    excerpts_of,
)
from shared.edits import ParentAudio
from shared.files import AudioFormat
from shared.messages import JobRecord, Recipe
from shared.storage import PAGE, Storage
from shared.uploaded_files import upload_key

CONTENT_TYPE = "application/octet-stream"
QUOTA_RETRY_AFTER = 3600
# In hertz. Resampling exactly as audiocraft does takes gigabytes where two rates have no large factor in common.
_BASES = (32_000, 44_100, 48_000)
SAMPLE_RATES = {base * factor // 4 for base in _BASES for factor in (1, 2, 4, 8, 16)}
# The reading of a file's end may differ by this many seconds: other programs round numbers.
TOLERANCE = 0.01


class StoredSource(NamedTuple):
    """Audio in the bucket: its object key, format and length in seconds."""

    key: str
    format: AudioFormat
    duration: float


class Place(NamedTuple):
    """Where an excerpt begins and ends, in seconds."""

    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start


class Excerpts:
    """Cuts excerpts out of uploaded files and of jobs' audio, and copies the audio of parents.

    Args:
        storage: the bucket.
        uploads: finds the files.
        jobs: finds the jobs.
        index: knows which audio has expired.
        most_bytes: of all excerpts of one key.
    """

    def __init__(self, storage: Storage, uploads: Uploads, jobs: JobService, index: JobIndex, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._storage = storage
        self._uploads = uploads
        self._jobs = jobs
        self._index = index

    async def store(self, recipe: Recipe, viewer: str | None) -> Recipe:
        """Store the excerpt that a recipe is conditioned on, or the file of the parent whose audio it is made of.

        Args:
            recipe: any.
            viewer: the name of the request's API key.

        Returns:
            The recipe with the excerpt's place and checksum.

        Raises:
            Problem: 422 with the field's name, if there is no such audio or the excerpt does not suit the recipe.
                429 if too much is stored for the key.
            UnavailableError: while S3 is away.
        """
        if recipe.edit is not None and recipe.edit.audio is not None:
            await self._store_parent(recipe.edit.parent, recipe.edit.audio, viewer)
        return recipe if recipe.audio is None else await self._store_excerpt(recipe, recipe.audio, viewer)

    async def _store_parent(self, job_id: str, wanted: ParentAudio, viewer: str | None) -> None:
        """Copy the file by its checksum, byte for byte: a worker wrote it."""
        record = await self._jobs.find(job_id, viewer)
        found = self._audio_of(record)
        gone = _unusable(f"The audio of job {job_id} is no longer stored. Generate it again from its recipe.")
        with tempfile.TemporaryFile() as file:
            if not await self._storage.fetch(found.key, file):
                raise gone
            digest = await asyncio.to_thread(hashlib.file_digest, file, "sha256")
            if digest.hexdigest() != wanted.sha256 or file.tell() != wanted.size:
                raise gone
            await self._check_quota(viewer)
            file.seek(0)
            key = excerpt_key(viewer, wanted.sha256)
            await self._storage.put_uploaded(key, file, wanted.size, CONTENT_TYPE, {})

    async def _store_excerpt(self, recipe: Recipe, audio: AudioConditions, viewer: str | None) -> Recipe:
        kind, source = audio.kind, audio.source
        field = f"audio.{kind}"
        found = await self._find(source, viewer, field)
        place = _place(source, found.duration, kind, field)
        if kind == "continue_from" and place.length >= recipe.duration:
            message = (
                f"The excerpt lasts {place.length:.10g} seconds, and duration counts it, too: it is "
                f"{recipe.duration:.10g}. Ask for more, or give a later start."
            )
            raise invalid(FieldError("duration", message))
        data = await self._cut(found, place, field)
        sha256 = checksum(data)
        if source.sha256 not in (None, sha256):
            raise invalid(FieldError(f"{field}.sha256", f"The excerpt has {sha256}. Give that, or leave it out."))
        await self._check_quota(viewer)
        await self._storage.put_uploaded(excerpt_key(viewer, sha256), io.BytesIO(data), len(data), CONTENT_TYPE, {})
        cut = replace(source, start=place.start, end=place.end, sha256=sha256)
        return replace(recipe, audio=AudioConditions(**{kind: cut}))

    async def _check_quota(self, viewer: str | None) -> None:
        stored = await self._storage.page("", excerpts_of(viewer))
        if len(stored) >= PAGE or sum(each.size for each in stored) > self._most_bytes:
            message = (
                "Too much audio is stored for jobs that continue it. Wait until some of them have ended for an hour."
            )
            raise too_many(message, QUOTA_RETRY_AFTER)

    async def _find(self, source: AudioSource, viewer: str | None, field: str) -> StoredSource:
        try:
            if source.audio_id is not None:
                field = f"{field}.audio_id"
                return await self._find_upload(source.audio_id, viewer)
            assert source.job_id is not None
            field = f"{field}.job_id"
            return self._audio_of(await self._jobs.find(source.job_id, viewer))
        except Problem as problem:
            raise invalid(FieldError(field, problem.detail)) from problem

    async def _find_upload(self, audio_id: str, viewer: str | None) -> StoredSource:
        uploaded = await self._uploads.find(audio_id, viewer)
        if uploaded.format == "mid":
            raise _unusable("It is a MIDI file, which has no sound. Export the audio from your DAW, and upload that.")
        if uploaded.sample_rate not in SAMPLE_RATES:
            raise _unusable(f"It has {uploaded.sample_rate} Hz. Convert it to a usual rate, such as 44100 or 48000.")
        return StoredSource(upload_key(viewer, audio_id), uploaded.format, uploaded.duration)

    def _audio_of(self, record: JobRecord) -> StoredSource:
        if record.audio is None:
            wait = "It has none." if record.status.is_terminal else "Wait until it has completed."
            raise _unusable(f"Job {record.job_id} is {record.status.value} and has no audio. {wait}")
        if self._index.has_expired(record):
            raise _unusable(f"The audio of job {record.job_id} has expired. Generate it again from its recipe.")
        name = record.audio.name.rpartition(".")[2]
        return StoredSource(record.audio.key, msgspec.convert(name, AudioFormat), record.audio.duration)

    async def _cut(self, found: StoredSource, place: Place, field: str) -> bytes:
        async with self._uploads.place():
            with tempfile.TemporaryFile() as file:
                if not await self._storage.fetch(found.key, file):
                    raise invalid(FieldError(field, "The audio is no longer stored. Upload it again."))
                try:
                    return await cut_excerpt(file, found.format, *place)
                except Problem as problem:
                    raise invalid(FieldError(field, problem.detail)) from problem


def _unusable(message: str) -> Problem:
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, message)


def _place(source: AudioSource, duration: float, kind: ConditionKind, field: str) -> Place:
    """The excerpt that a request means; see docs/api.md for what it may leave open."""
    longest = LONGEST_CONTEXT if kind == "continue_from" else LONGEST_EXCERPT
    start, end = source.start, source.end
    if end is None:
        end = duration if kind == "continue_from" else min(duration, (start or 0.0) + longest)
    if start is None:
        start = max(end - USUAL_CONTEXT, 0.0) if kind == "continue_from" else 0.0
    if end > duration + TOLERANCE:
        raise invalid(FieldError(f"{field}.end", f"The audio lasts {duration:.10g} seconds. Give at most that."))
    place = Place(round(start, 6), round(min(end, duration), 6))
    if not SHORTEST_EXCERPT <= place.length <= longest:
        message = (
            f"The excerpt would last {max(place.length, 0.0):.10g} seconds, from {place.start:.10g} to "
            f"{place.end:.10g}; {SHORTEST_EXCERPT:g} to {longest:g} are possible. Give another start or end."
        )
        raise invalid(FieldError(f"{field}.start", message))
    return place
