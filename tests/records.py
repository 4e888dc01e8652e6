"""Records for tests that play a worker."""

from typing import Any

from nats.aio.client import Client

from shared.bus import flush
from shared.files import Audio, audio_key
from shared.messages import JobRecord, JobStatus, Recipe, now
from shared.records import encode_record
from shared.subjects import JOBS_BUCKET
from shared.topology import ensure_streams


def some_audio(job_id: str = "gen_000000000000") -> Audio:
    return Audio(key=audio_key(job_id), size=44, duration=1.0, sample_rate=32_000, channels=1, sha256="0" * 64)


def ending(status: JobStatus) -> dict[str, Any]:
    """The fields with which a job ends in this status."""
    more: dict[JobStatus, dict[str, Any]] = {
        JobStatus.COMPLETED: {"audio": some_audio()},
        JobStatus.FAILED: {"error_message": "no such chord"},
    }
    return {"status": status, "completed_at": now(), **more.get(status, {})}


def finished(job_id: str) -> JobRecord:
    """A finished job, as large as most are."""
    recipe = Recipe(model="starter", prompt=f"upbeat electronic music with synthesizer and drums, {job_id}", duration=1)
    ids = {"fingerprint": "0123456789abcdef" * 4, "traceparent": f"00-{'0' * 32}-{'0' * 16}-01", "worker_id": "starter"}
    fields: dict[str, Any] = ids | ending(JobStatus.COMPLETED)
    return JobRecord(job_id=job_id, recipe=recipe, created_at=now(), updated_at=now(), claims=1, **fields)


async def fill(client: Client, count: int, first: int = 0) -> list[str]:
    """Put finished jobs into the bucket as an operator might; returns their ids."""
    await ensure_streams(client.jetstream())
    jobs = [f"gen_{number:012d}" for number in range(first, first + count)]
    for number, job_id in enumerate(jobs):
        await client.publish(f"$KV.{JOBS_BUCKET}.{job_id}", encode_record(finished(job_id)))
        if number % 500 == 0:
            await flush(client)
    await flush(client)
    return jobs
