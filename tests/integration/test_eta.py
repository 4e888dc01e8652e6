"""Estimated times, on a real gateway that learns from records whose times the test sets."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from shared import subjects
from shared.job_id import new_job_id
from shared.messages import JobRecord, JobStatus, Timings
from shared.models import STARTER
from shared.worker_info import WorkerInfo, WorkerState
from tests.integration.jobs import RECIPE, plant_record
from tests.integration.system import Api, System, eventually
from tests.records import some_audio

# When the worker's clock says that it began: it is a day slow.
BEGAN = datetime.now(UTC) - timedelta(days=1)


async def history(system: System, *, duration: float, jobs: int, slots: int, takes: float) -> None:
    """Jobs that one worker completed, `slots` at a time, each batch in this many seconds."""
    for number in range(jobs):
        began = BEGAN + timedelta(seconds=number // slots * takes)
        # The upload runs while the next jobs are generated.
        ended = began + timedelta(seconds=takes + 1)
        record = JobRecord(
            job_id=new_job_id(),
            recipe=replace(RECIPE, duration=duration),
            status=JobStatus.COMPLETED,
            audio=some_audio(),
            timings=Timings(generating=takes, uploading=1.0),
            worker_id="w1",
            attempts=1,
            created_at=BEGAN,
            started_at=began,
            completed_at=ended,
            updated_at=ended,
        )
        await plant_record(system, record)


async def announce(system: System, worker_id: str, slots: int) -> None:
    info = WorkerInfo(
        worker_id=worker_id,
        model=STARTER,
        state=WorkerState.READY,
        message="Ready",
        slots=slots,
        started_at=BEGAN,
        version="0",
    )
    await (await system.nats()).publish(subjects.worker_subject(worker_id), msgspec.json.encode(info))


async def told(system: System, api: Api, job_id: str, *workers: str) -> float:
    """The estimate with these workers of eight slots."""

    async def seconds() -> float | None:
        for worker_id in workers:
            await announce(system, worker_id, 8)
        live = {worker.worker_id for worker in api.services.workers.live()}
        eta: float | None = (await api.status(job_id))["eta_seconds"]
        return eta if live == set(workers) else None

    return float(await eventually(seconds, "there is an estimate"))


@pytest.mark.parametrize(
    ("short", "takes", "already", "error"),
    [(10.0, 7.5, 0, 1.2), (10.0, 7.5, 40, 1.15), (1.0, 3.0, 0, 1.5), (1.0, 3.0, 20, 1.15)],
    ids=["after shorter jobs", "and some of this length", "after very short jobs", "and some of this length, too"],
)
async def test_the_estimate_for_a_hundred_long_jobs_is_about_right(
    system: System, short: float, takes: float, already: int, error: float
) -> None:
    """Eight slots make eight times 30 s of audio in 19 s: 100 such jobs take 13 turns, 247 s."""
    api = await system.gateway()
    await history(system, duration=short, jobs=64 - already, slots=8, takes=takes)
    await history(system, duration=30.0, jobs=already, slots=8, takes=19.0)

    async def learned() -> bool:
        return api.services.index.count(JobStatus.COMPLETED) == 64

    await eventually(learned, "the gateway has read them")
    jobs = [await api.generate(duration=30.0) for _ in range(100)]
    assert 1 / error < await told(system, api, jobs[-1], "w1") / (13 * 19) < error
    # Two workers share them.
    assert 1 / error < await told(system, api, jobs[-1], "w1", "w2") / (7 * 19) < error
