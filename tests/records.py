"""Records for tests that play a worker."""

from typing import Any

from shared.files import Audio, audio_key
from shared.messages import JobStatus, now


def some_audio(job_id: str = "gen_000000000000") -> Audio:
    return Audio(key=audio_key(job_id), size=44, duration=1.0, sample_rate=32_000, channels=1, sha256="0" * 64)


def ending(status: JobStatus) -> dict[str, Any]:
    """The fields with which a job ends in this status."""
    more: dict[JobStatus, dict[str, Any]] = {
        JobStatus.COMPLETED: {"audio": some_audio()},
        JobStatus.FAILED: {"error_message": "no such chord"},
    }
    return {"status": status, "completed_at": now(), **more.get(status, {})}
