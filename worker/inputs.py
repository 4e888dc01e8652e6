"""Fetches what a job is made of besides its recipe: an excerpt of audio, a parent's file, or the notes of a score."""

import hashlib

from shared.audio_conditions import MOST_EXCERPT_BYTES, excerpt_key
from shared.errors import UnavailableError
from shared.messages import JobRecord
from shared.note_score import MOST_BYTES, score_key
from shared.storage import Storage
from worker.engine.host.engine_job import GenerationFailedError


class InputAwayError(UnavailableError):
    """S3 is away, so an input cannot be read; nothing was generated yet."""


async def fetch_excerpt(storage: Storage, record: JobRecord) -> bytes | None:
    """The excerpt that the job is conditioned on, as it is stored; None if there is none.

    Raises:
        GenerationFailedError: if it is gone, or is not that of the recipe.
        InputAwayError: while S3 is away.
    """
    if record.recipe.audio is None:
        return None
    sha256 = record.recipe.audio.source.sha256 or ""
    reason = "The audio that the job is conditioned on is no longer stored. Send the request again."
    lost = GenerationFailedError("excerpt_lost", reason)
    return await _read(storage, excerpt_key(record.owner, sha256), MOST_EXCERPT_BYTES, sha256, lost)


async def fetch_parent(storage: Storage, record: JobRecord) -> bytes | None:
    """The audio file of the take that the job is made of; None if it is made of none.

    Raises:
        GenerationFailedError: if it is gone, or is not that of the recipe.
        InputAwayError: while S3 is away.
    """
    parent = record.recipe.parent_audio
    if parent is None:
        return None
    reason = "The audio of the take that the job is made of is no longer stored for it. Send the request again."
    lost = GenerationFailedError("parent_lost", reason)
    return await _read(storage, excerpt_key(record.owner, parent.sha256), parent.size, parent.sha256, lost)


async def fetch_score(storage: Storage, record: JobRecord) -> bytes | None:
    """The notes that the job plays, as they are stored; None if it plays none.

    Raises:
        GenerationFailedError: if they are gone, or are not those of the recipe.
        InputAwayError: while S3 is away.
    """
    if record.recipe.score is None:
        return None
    sha256 = record.recipe.score.sha256
    reason = "The score that the job plays is no longer stored. Upload its file again, and send the job again."
    lost = GenerationFailedError("score_lost", reason)
    return await _read(storage, score_key(record.owner, sha256), MOST_BYTES, sha256, lost)


async def _read(storage: Storage, key: str, most: int, sha256: str, lost: GenerationFailedError) -> bytes:
    """An object of at most `most` bytes; raises `lost` if it is gone or has another checksum."""
    try:
        data = await storage.read(key, most)
    except UnavailableError as error:
        raise InputAwayError(f"The audio or score that the job is made of cannot be read: {error}") from error
    if data is None or hashlib.sha256(data).hexdigest() != sha256:
        raise lost
    return data
