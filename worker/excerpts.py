"""Fetches the excerpt of audio that a job is conditioned on."""

from shared.audio_conditions import MOST_EXCERPT_BYTES, checksum, excerpt_key
from shared.errors import UnavailableError
from shared.messages import JobRecord
from shared.storage import Storage
from worker.engine.host.engine_job import GenerationFailedError


class ExcerptAwayError(UnavailableError):
    """S3 is away, so the excerpt cannot be read; nothing was generated yet."""


async def fetch_excerpt(storage: Storage, record: JobRecord) -> bytes | None:
    """The stored excerpt that the job's recipe names, if it names one.

    Raises:
        GenerationFailedError: if it is no longer stored.
        ExcerptAwayError: while S3 is away.
    """
    if record.recipe.audio is None:
        return None
    sha256 = record.recipe.audio.source.sha256 or ""
    try:
        data = await storage.read(excerpt_key(record.owner, sha256), MOST_EXCERPT_BYTES)
    except UnavailableError as error:
        raise ExcerptAwayError(f"The audio that the job is conditioned on cannot be read: {error}") from error
    if data is None or checksum(data) != sha256:
        reason = "The audio that the job is conditioned on is no longer stored. Send the request again."
        raise GenerationFailedError("excerpt_lost", reason)
    return data
