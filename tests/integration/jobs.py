"""Jobs for tests: planted in the bucket and the store, requested over HTTP, and what is stored of them."""

import asyncio
import hashlib
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import soundfile
from nats.aio.msg import Msg

from shared import subjects
from shared.bus import flush
from shared.files import PEAKS, Audio, Output, audio_key, output_key
from shared.job_id import new_job_id
from shared.messages import JobRecord, JobStatus, Recipe
from shared.models import STARTER, default_guidance
from shared.storage import Storage, Upload
from tests.integration.system import Api, System
from worker.engine.interface import Samples

# What a request for one second of a tone with seed 7 and a MIDI file becomes when it leaves out everything else.
RECIPE = Recipe(
    model=STARTER, prompt="tone", duration=1.0, cfg_coef=default_guidance(STARTER), seed=7, outputs=("midi",)
)
REQUEST: dict[str, Any] = msgspec.to_builtins(RECIPE)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def later(time: timedelta) -> datetime:
    return datetime.now(UTC) + time


def checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def store(storage: Storage, key: str, data: bytes) -> Upload:
    """Put an object of these bytes into the store, as a worker does."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "file")
        file.write_bytes(data)
        return await storage._put(key, file, {})


async def plant_finished(system: System, *, size: int = 100, **fields: Any) -> str:
    """Put a completed job with audio, a MIDI file and peaks into the bucket and the store; returns its id."""
    job_id = new_job_id()
    midi, data = bytes(10), bytes(size)
    output = Output(kind="midi", name="audio.mid", key=output_key(job_id, "audio.mid"), size=10, sha256=checksum(midi))
    peaks = Output(kind="peaks", name=PEAKS, key=output_key(job_id, PEAKS), size=10, sha256=checksum(midi))
    audio = Audio(key=audio_key(job_id), size=size, duration=1, sample_rate=32_000, channels=1, sha256=checksum(data))
    moment = datetime.now(UTC)
    files: dict[str, Any] = {"audio": audio, "outputs": (output,), "extras": (peaks,)}
    done: dict[str, Any] = {"recipe": RECIPE, "status": JobStatus.COMPLETED} | files
    times = {"created_at": moment, "updated_at": moment}
    record = JobRecord(job_id=job_id, **(times | done | fields))
    for file, content in ((audio, data), (output, midi), (peaks, midi)):
        await store(system.storage(), file.key, content)
    await plant_record(system, record)
    return job_id


async def plant_follower(system: System, **fields: Any) -> str:
    """Leave a follower as a gateway does that dies right after it wrote the record; returns its id."""
    moment, job_id = datetime.now(UTC), new_job_id()
    values: dict[str, Any] = {"created_at": moment, "updated_at": moment, "recipe": RECIPE, "is_follower": True}
    await plant_record(system, JobRecord(job_id=job_id, **(values | fields)))
    return job_id


async def plant_record(system: System, record: JobRecord) -> None:
    """Write a record past the table of transitions, which lets no job begin in a terminal state."""
    await (await system.records()).bucket.create(record.job_id, msgspec.json.encode(record))


async def post_recipe(api: Api, **fields: Any) -> dict[str, Any]:
    """Request RECIPE with some fields changed, or left out where they are None; returns the answer."""
    body = {name: value for name, value in (REQUEST | fields).items() if value is not None}
    async with api.http.post("/api/v1/generate", json=body) as response:
        answer: dict[str, Any] = await response.json()
        assert response.status == 200, answer
        return answer


async def is_queued(api: Api, job_id: str) -> bool:
    return (await api.status(job_id))["queue_position"] is not None


async def queue_length(system: System) -> int:
    """The number of jobs in the queue."""
    return (await (await system.nats()).jetstream().stream_info(subjects.JOBS_STREAM)).state.messages


async def collect_events(system: System) -> list[dict[str, Any]]:
    """A list to which every event from now on is appended."""
    seen: list[dict[str, Any]] = []

    async def take(message: Msg) -> None:
        seen.append(json.loads(message.data))

    observer = await system.nats("observer")
    await observer.subscribe("music.events.>", cb=take)
    await flush(observer)
    return seen


async def download_status(api: Api, job_id: str) -> int:
    async with api.http.get(f"/api/v1/download/{job_id}") as response:
        return response.status


async def stored_audio(api: Api, job_id: str) -> Samples:
    """The samples of a job's audio file: float32 of shape [frames, channels]."""
    samples, _ = soundfile.read(io.BytesIO(await api.download(job_id)), dtype="float32", always_2d=True)
    stored: Samples = samples
    return stored


async def stored_jobs(system: System) -> set[str]:
    """The ids of all jobs that have files in the store."""
    storage = system.storage()
    found = await asyncio.to_thread(
        lambda: list(storage._client.list_objects(storage.bucket, prefix="jobs/", recursive=True))
    )
    return {str(item.object_name).split("/")[1] for item in found}


async def still_stored(system: System, *jobs: str) -> list[str]:
    """Those of the jobs that have files in the store, in the order given."""
    stored = await stored_jobs(system)
    return [job_id for job_id in jobs if job_id in stored]
