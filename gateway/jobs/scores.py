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
from shared.models import may_write_scores
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
        elif request.job_id is not UNSET:
            record = await self._jobs.find(request.job_id, owner)
            parent, played = record.job_id, record.recipe.score
            if played is None or played.action != "play":
                notes = await self._read_midi(record)
            else:
                notes = await self._stored(played.sha256, owner)
        else:
            assert request.sha256 is not UNSET
            notes = await self._stored(request.sha256, owner)
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
        return await self._read(data)

    async def _read_midi(self, record: JobRecord) -> NoteScore:
        """The notes of a job's MIDI file: what the model composed is nowhere else in notes."""
        job_id, found = record.job_id, [output for output in record.outputs if output.kind == "midi"]
        if not record.status.is_terminal:
            raise Problem(HTTPStatus.CONFLICT, f"Job {job_id} has no score yet. Wait until it has completed.")
        if not found:
            remedy = f'POST {{"strength": 0, "outputs": ["midi"]}} to /api/v1/jobs/{job_id}/vary, and use the new job.'
            remedy = remedy if may_write_scores(record.recipe.model) else "Use a job of a model that writes scores."
            raise invalid(FieldError("score.job_id", f"Job {job_id} has no MIDI file. {remedy}"))
        data = None if record.expired_at else await self._storage.read(found[0].key, MAX_UPLOAD_BYTES)
        if data is None:
            raise _gone(f"The MIDI file of job {job_id} is no longer stored. Send its recipe again.")
        return await self._read(data)

    async def _read(self, data: bytes) -> NoteScore:
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


def _played(
    request: ScoreRequest, record: JobRecord | None, notes: NoteScore, sha256: str, parent: str | None
) -> PlayedScore:
    before = record.recipe.score if record else None
    if before is None or before.action != "play":
        before = None  # the parts are those of the MIDI file
    played = record.known_music.instruments if record and before else ()
    asked = {} if request.programs is UNSET else request.programs
    names = () if request.instruments is UNSET else request.instruments
    programs = {part: program for name, program in asked.items() for part in _parts(name, played, notes)}
    wanted = [part for name in names for part in _parts(name, played, notes)]
    return PlayedScore(
        sha256=sha256,
        action=request.action,
        parent=parent,
        programs=(before.programs if before else {}) | programs,
        instruments=tuple(dict.fromkeys(wanted)) or (before.instruments if before else ()),
    )


def _parts(name: str, played: tuple[Instrument, ...], notes: NoteScore) -> list[PartId]:
    """The parts that a name or a stream of the job's instruments means, or the name of a track."""
    found = [each.stream for each in played if name in (each.name, each.stream)]
    if not found:
        parts = {part_id(index): part.name for index, part in enumerate(notes.parts)}
        found = [part for part, track in parts.items() if name in (part, track)]
    if not found:
        names = ", ".join(each.name for each in played) or f"part 1 to part {len(notes.parts)}"
        raise invalid(FieldError("score", f"The score has no {name!r}. It has {names}."))
    return found


def _gone(message: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, message)
