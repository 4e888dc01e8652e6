"""Finds the scores that requests name, and stores them where workers find them, by their checksum."""

import asyncio
import io
import tempfile
from http import HTTPStatus
from typing import NamedTuple

from msgspec import UNSET

from gateway.jobs.job_service import JobService
from gateway.problems import FieldError, Problem, invalid
from gateway.schemas import ScoreRequest
from gateway.uploads.sandbox import read_score
from gateway.uploads.uploads import Uploads
from shared.files import content_type
from shared.messages import JobRecord
from shared.music import Instrument
from shared.note_score import MOST_BYTES, NoteScore, decode_score, encode_score, score_key
from shared.played_score import PartId, PlayedScore, part_id
from shared.storage import Storage
from shared.uploaded_files import MAX_UPLOAD_BYTES, upload_key

# MIDI files that one gateway reads at a time: each needs a process.
AT_ONCE = 2


class FoundScore(NamedTuple):
    """A score that is stored for workers.

    Attributes:
        played: the reference to it.
        notes: the score itself.
        record: of the job that it was taken from, if it was.
    """

    played: PlayedScore
    notes: NoteScore
    record: JobRecord | None = None


class Scores:
    """Scores of one gateway. What it stores stays until no job needs it any more, whatever happens to the upload."""

    def __init__(self, uploads: Uploads, storage: Storage, jobs: JobService) -> None:
        self._uploads = uploads
        self._storage = storage
        self._jobs = jobs
        self._places = asyncio.Semaphore(AT_ONCE)

    async def find(self, request: ScoreRequest, owner: str | None) -> FoundScore:
        """Find a score, and store it again, so that it is there for a worker.

        Args:
            request: the validated field.
            owner: the name of the request's API key.

        Raises:
            Problem: 404 if there is no such file or job; 409 if the job has no score yet; 422 with the reason if there
                is nothing to play.
            UnavailableError: while S3 is away.
        """
        named = [name for name in ("audio_id", "job_id", "sha256") if getattr(request, name) is not UNSET]
        if len(named) != 1:
            raise invalid(FieldError("score", "Give exactly one of audio_id and job_id."))
        record, parent = None, request.parent or None
        if parent is not None and named != ["sha256"]:
            raise invalid(FieldError("score.parent", "It belongs to sha256, as in the recipe of a job. Omit it."))
        if request.audio_id is not UNSET:
            notes = await self._read_upload(request.audio_id, owner)
        else:
            if request.job_id is not UNSET:
                record = await self._jobs.find(request.job_id, owner)
                parent = record.job_id
            notes = await self._stored(_checksum(request, record), owner)
        data, sha256 = encode_score(notes)
        key = score_key(owner, sha256)
        await self._storage.put_uploaded(key, io.BytesIO(data), len(data), content_type(key), {})
        return FoundScore(_played(request, record, notes, sha256, parent), notes, record)

    async def _read_upload(self, audio_id: str, owner: str | None) -> NoteScore:
        described = await self._uploads.find(audio_id, owner)
        if described.kind != "midi":
            message = f"{audio_id} is a {described.format} file; only MIDI files are scores. Upload one."
            raise invalid(FieldError("score.audio_id", message))
        data = await self._storage.read(upload_key(owner, audio_id), MAX_UPLOAD_BYTES)
        if data is None:
            raise _gone("The file has just been deleted. Upload it again.")
        async with self._places:
            with tempfile.TemporaryFile() as file:
                file.write(data)
                file.seek(0)
                return await read_score(file)

    async def _stored(self, sha256: str, owner: str | None) -> NoteScore:
        data = await self._storage.read(score_key(owner, sha256), MOST_BYTES)
        if data is None:
            raise _gone("The score is no longer stored. Upload its MIDI file, and play that.")
        return decode_score(data)


def _checksum(request: ScoreRequest, record: JobRecord | None) -> str:
    """The checksum of the score of a recipe, or of a job that played one."""
    if record is None:
        assert request.sha256 is not UNSET
        return request.sha256
    assert record.recipe.score is not None, "a take of the model is played by its codes"
    return record.recipe.score.sha256


def _played(
    request: ScoreRequest, record: JobRecord | None, notes: NoteScore, sha256: str, parent: str | None
) -> PlayedScore:
    before = record.recipe.score if record else None
    played = record.known_music.instruments if record else ()
    known = {part_id(index): None for index in range(len(notes.parts))}
    asked = {} if request.programs is UNSET else request.programs
    names = () if request.instruments is UNSET else request.instruments
    programs = {part: program for name, program in asked.items() for part in _parts(name, played, known)}
    wanted = [part for name in names for part in _parts(name, played, known)]
    return PlayedScore(
        sha256=sha256,
        parent=parent,
        programs=(before.programs if before else {}) | programs,
        instruments=tuple(dict.fromkeys(wanted)) or (before.instruments if before else ()),
    )


def _parts(name: str, played: tuple[Instrument, ...], known: dict[PartId, None]) -> list[PartId]:
    """The parts that a name or a stream of the job's instruments means."""
    found = [each.stream for each in played if name in (each.name, each.stream)]
    if not found and name in known:
        return [name]
    if not found:
        names = ", ".join(each.name for each in played) or f"part 1 to part {len(known)}"
        raise invalid(FieldError("score", f"The score has no {name!r}. It has {names}."))
    return found


def _gone(message: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, message)
