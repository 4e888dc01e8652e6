"""Fetches the notes that a job plays: its recipe only refers to them."""

import hashlib

from shared.messages import JobRecord
from shared.note_score import MOST_BYTES, score_key
from shared.storage import Storage
from worker.engine.host.engine_job import GenerationFailedError


async def fetch_score(storage: Storage, record: JobRecord) -> bytes | None:
    """The notes that a job plays, as they are stored; None if it plays none.

    Raises:
        GenerationFailedError: if they are gone, or are not those of the recipe.
        UnavailableError: while S3 is away.
    """
    if record.recipe.score is None:
        return None
    sha256 = record.recipe.score.sha256
    data = await storage.read(score_key(record.owner, sha256), MOST_BYTES)
    if data is None or hashlib.sha256(data).hexdigest() != sha256:
        reason = "The score that the job plays is no longer stored. Upload its file again, and send the job again."
        raise GenerationFailedError("score_lost", reason)
    return data
