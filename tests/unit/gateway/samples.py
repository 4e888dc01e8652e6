"""Records, workers and messages with default values; tests override what matters to them."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from msgspec.structs import replace
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.files import Audio, Output, output_key
from shared.messages import JobRecord, JobStatus, Recipe, Timings
from shared.records import Entry
from shared.worker_info import WorkerInfo, WorkerState

NOON = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)

# The content of finished jobs' files.
AUDIO = b"RIFF" + bytes(range(40))

# Two API keys.
DAW, WEB = "d" * 32, "w" * 32


def bearer(key: str) -> dict[str, str]:
    """The Authorization header with an API key."""
    return {"Authorization": f"Bearer {key}"}


def job_id(number: int) -> str:
    return f"gen_{number:012d}"


def record(
    number: int = 1, *, age: int = 0, model: str = "starter", duration: float = 10.0, **fields: Any
) -> JobRecord:
    """A queued job; `age` seconds older than noon."""
    moment = NOON - timedelta(seconds=age)
    recipe = Recipe(model=model, prompt="a tone", duration=duration)
    values: dict[str, Any] = {
        "job_id": job_id(number),
        "recipe": recipe,
        "created_at": moment,
        "updated_at": moment,
    } | fields
    return JobRecord(**values)


def completed(number: int = 1, **fields: Any) -> JobRecord:
    """A completed job: 10 s of audio, generated in 5 s."""
    audio = Audio(
        key=f"jobs/{job_id(number)}/audio.wav",
        size=len(AUDIO),
        duration=10.0,
        sample_rate=32_000,
        channels=1,
        sha256=hashlib.sha256(AUDIO).hexdigest(),
    )
    done: dict[str, Any] = {
        "status": JobStatus.COMPLETED,
        "progress": 1.0,
        "audio": audio,
        "timings": Timings(generating=5.0),
    }
    return record(number, **(done | fields))


def outputs(number: int = 1) -> tuple[Output, ...]:
    """MIDI and stem of a job."""
    names: dict[str, Literal["midi", "stem"]] = {"audio.mid": "midi", "bass.wav": "stem"}
    return tuple(
        Output(
            kind=kind,
            name=name,
            key=output_key(job_id(number), name),
            size=len(AUDIO),
            sha256=hashlib.sha256(AUDIO).hexdigest(),
        )
        for name, kind in names.items()
    )


def extras(number: int = 1) -> tuple[Output, ...]:
    """The waveform of a job: its peaks and a picture."""
    kinds: dict[str, Literal["peaks", "waveform"]] = {"audio.peaks.json": "peaks", "audio.svg": "waveform"}
    (first, _) = outputs(number)
    return tuple(
        replace(first, kind=kind, name=name, key=output_key(job_id(number), name)) for name, kind in kinds.items()
    )


def entry(of: JobRecord, revision: int = 1) -> Entry:
    return Entry(of, revision)


def worker(worker_id: str = "w1", **fields: Any) -> WorkerInfo:
    values: dict[str, Any] = {
        "worker_id": worker_id,
        "model": "starter",
        "state": WorkerState.READY,
        "message": "Ready",
        "slots": 2,
        "started_at": NOON,
        "version": "0",
    }
    return WorkerInfo(**(values | fields))


def message(subject: str, body: object) -> Msg:
    """A NATS message; `body` is a struct, or the raw bytes."""
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Msg(Client(), subject=subject, data=data)
