"""Jobs that are done, as a test needs them: in the bucket and in the store, without anybody's work."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared.files import Audio, Output, audio_key, output_key
from shared.job_id import new_job_id
from shared.messages import JobRecord, JobStatus, Recipe
from shared.models import STARTER, default_guidance
from tests.integration.listener import stored_jobs
from tests.integration.system import Api, System

# What a request for one second of a tone with seed 7 and its MIDI file becomes, if it leaves all else out.
RECIPE = Recipe(
    model=STARTER, prompt="tone", duration=1.0, cfg_coef=default_guidance(STARTER), seed=7, outputs=("midi",)
)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def later(time: timedelta) -> datetime:
    return datetime.now(UTC) + time


async def make(system: System, *, size: int = 100, **fields: Any) -> str:
    """A job that is done, in the bucket and in the store."""
    job_id = new_job_id()
    midi, data = bytes(10), bytes(size)
    output = Output(kind="midi", name="audio.mid", key=output_key(job_id, "audio.mid"), size=10, sha256=checksum(midi))
    audio = Audio(key=audio_key(job_id), size=size, duration=1, sample_rate=32_000, channels=1, sha256=checksum(data))
    moment = datetime.now(UTC)
    done: dict[str, Any] = {"recipe": RECIPE, "status": JobStatus.COMPLETED, "audio": audio, "outputs": (output,)}
    times = {"created_at": moment, "updated_at": moment}
    record = JobRecord(job_id=job_id, **(times | done | fields))
    await system.storage().put_audio(job_id, data, {})
    await system.storage().put_output(output, midi, {})
    await plant(system, record)
    return job_id


def checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def plant(system: System, record: JobRecord) -> None:
    """Put a record into the bucket as if it had come there by itself: no job begins with its end."""
    await (await system.records()).bucket.create(record.job_id, msgspec.json.encode(record))


async def left(system: System, *jobs: str) -> list[str]:
    """Those of the jobs that still have something in the store."""
    stored = await stored_jobs(system)
    return [job_id for job_id in jobs if job_id in stored]


async def code(api: Api, job_id: str) -> int:
    async with api.http.get(f"/api/v1/download/{job_id}") as response:
        return response.status
