"""How a new job gets its audio."""

import pytest
from msgspec.structs import replace

from gateway.jobs.result_cache import Decision, Follow, Reuse, Run, UseStored
from gateway.services import Services
from shared.messages import JobRecord, JobStatus
from tests.unit.gateway.samples import completed, entry, job_id, message, record, worker

STORED = completed(1)
OTHER_SEED = completed(1, recipe=replace(record().recipe, seed=7))
RUNNING = record(1, status=JobStatus.PROCESSING)
FOLLOWER = record(1, is_follower=True)


@pytest.mark.parametrize(
    ("known", "reuse", "expected"),
    [
        (STORED, "none", Run(may_share=False)),
        (STORED, "same", UseStored(STORED)),
        (STORED, "any", UseStored(STORED)),
        (OTHER_SEED, "same", Run()),
        (OTHER_SEED, "any", UseStored(OTHER_SEED)),
        (RUNNING, "none", Run(may_share=False)),
        (RUNNING, "same", Follow(job_id(1))),
        (RUNNING, "any", Follow(job_id(1))),
        (FOLLOWER, "same", Run()),
        (replace(STORED, owner="daw"), "same", Run()),
    ],
)
async def test_a_job_is_answered_follows_or_is_queued(
    services: Services, known: JobRecord, reuse: Reuse, expected: Decision
) -> None:
    services.index.apply(entry(known))
    assert services.result_cache.decide(record(2), reuse) == expected


@pytest.mark.parametrize(
    ("loaded", "expected"), [(None, UseStored(STORED)), ("other", Run())], ids=["no worker", "another checkpoint"]
)
async def test_audio_of_a_checkpoint_that_no_worker_has_loaded_is_not_used(
    services: Services, loaded: str | None, expected: Decision
) -> None:
    services.index.apply(entry(STORED))
    if loaded:
        info = worker(checkpoint=loaded)
        await services.workers.on_message(message(f"music.workers.{info.worker_id}", info))
    assert services.result_cache.decide(record(2), "same") == expected
