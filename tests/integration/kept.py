"""What is to be seen of a job that was stopped and whose music a person wanted to keep."""

from typing import Any

import numpy as np
import pytest

from shared import subjects
from tests.integration.jobs import stored_audio, stored_jobs
from tests.integration.listener import Listener
from tests.integration.system import Api, RunningWorker, System, eventually

RATE = 32_000


async def until_idle(system: System, worker: RunningWorker) -> None:
    """Return when the worker has nothing to do and the queue is empty."""
    js = (await system.nats()).jetstream()

    async def idle() -> bool:
        messages = (await js.stream_info(subjects.JOBS_STREAM)).state.messages
        return worker.worker.describe().busy == 0 and not worker.worker._handling and messages == 0

    await eventually(idle, "everything is done")


async def check_kept(api: Api, listener: Listener, job_id: str) -> dict[str, Any]:
    """The job is cancelled, and what was heard of it is what its file holds; returns its status."""
    status = await api.until(job_id, "cancelled")
    audio = await stored_audio(api, job_id)
    assert np.array_equal(listener.audio(job_id), audio)
    assert status["message"] == "Job cancelled; what was made is kept"
    assert status["actual_duration"] == pytest.approx(len(audio) / RATE)
    assert status["audio_url"] == f"/api/v1/download/{job_id}"
    await listener.until_ended(job_id)
    (end,) = listener.terminal_events[job_id]
    assert (end["type"], end["audio_url"]) == ("cancelled", status["audio_url"])
    return status


async def check_nothing_kept(api: Api, system: System, listener: Listener, job_id: str) -> dict[str, Any]:
    """The job is cancelled, and nothing of it is stored; returns its status."""
    status = await api.until(job_id, "cancelled", timeout=60)
    assert (status["audio_url"], status["actual_duration"]) == (None, None)
    await listener.until_ended(job_id)
    assert [end["type"] for end in listener.terminal_events[job_id]] == ["cancelled"]

    async def gone() -> bool:
        return job_id not in await stored_jobs(system)

    await eventually(gone, "nothing is stored")
    return status
