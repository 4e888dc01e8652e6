"""Several takes from one request: accepted together or not at all, and each a job of its own."""

from typing import Any

import pytest

from deploy.stack.local_stack import _update_records
from shared import subjects
from shared.atomic_batch import BATCH_ID, BATCH_SEQUENCE
from shared.bus import flush
from shared.errors import ConflictError
from shared.messages import now
from shared.topology import JOBS, ensure_streams
from shared.transitions import accepted
from tests.integration.jobs import RECIPE
from tests.integration.system import Api, System
from tests.unit.gateway.samples import DAW, bearer


async def post(api: Api, headers: dict[str, str] | None = None, **fields: Any) -> tuple[int, dict[str, Any]]:
    body = {"prompt": "tone", "duration": 0.5, **fields}
    async with api.http.post("/api/v1/generate", json=body, headers=headers or {}) as response:
        return response.status, await response.json()


async def takes(api: Api, **fields: Any) -> list[str]:
    """The job ids of the takes of a new request."""
    status, answer = await post(api, **fields)
    assert status == 200, answer
    return [take["job_id"] for take in answer["takes"]]


async def test_each_take_is_a_job_with_its_own_seed_and_audio(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    status, answer = await post(api, variations=3, seed=2**32 - 2)
    assert status == 200
    assert answer["job_id"] == answer["takes"][0]["job_id"]
    assert [take["seed"] for take in answer["takes"]] == [2**32 - 2, 2**32 - 1, 0]
    done = [await api.until(take["job_id"], "completed") for take in answer["takes"]]
    assert [each["seed"] for each in done] == [take["seed"] for take in answer["takes"]]
    assert all(each["takes"] == answer["takes"] for each in done)
    assert len({each["audio"]["sha256"] for each in done}) == 3


async def test_a_request_for_one_take_answers_with_that_job(system: System) -> None:
    api = await system.gateway()
    one: tuple[dict[str, Any], ...] = ({}, {"variations": 1})
    for fields in one:
        status, answer = await post(api, seed=5, **fields)
        assert status == 200
        assert set(answer) == {"job_id", "status", "message", "created_at"}  # as before there were takes
        assert (await api.status(answer["job_id"]))["takes"] is None


async def test_takes_with_a_seed_share_stored_audio_and_those_without_do_not(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    first = await takes(api, variations=2, seed=7)
    for job_id in first:
        await api.until(job_id, "completed")
    again = await takes(api, variations=3, seed=7)
    assert [(await api.until(job_id, "completed"))["cached"] for job_id in again] == [True, True, False]
    fresh = await takes(api, variations=2, cache=True)
    assert [(await api.until(job_id, "completed"))["cached"] for job_id in fresh] == [False, False]


async def test_a_repeated_key_returns_the_same_takes(system: System) -> None:
    api, other = await system.gateway(), await system.gateway()
    headers = {"Idempotency-Key": "takes-1"}
    _, first = await post(api, headers, variations=4)
    for each in (api, other):
        assert await post(each, headers, variations=4) == (200, first)
        assert (await post(each, headers, variations=3))[0] == 422
        assert (await post(each, headers))[0] == 422
    assert len(await system.recorded()) == 4


@pytest.mark.parametrize("variations", [0, 9, 2.5, "2"])
async def test_other_numbers_of_takes_are_refused(system: System, variations: object) -> None:
    api = await system.gateway()
    status, answer = await post(api, variations=variations)
    assert status == 422
    assert answer["errors"][0]["field"] == "variations"


@pytest.mark.parametrize(
    "limit", [{"KEY_QUEUED_JOBS": "5"}, {"KEY_DAILY_SECONDS": "3"}, {"KEY_RECORDS": "5"}, {"KEY_BURST": "8"}]
)
async def test_each_take_counts_against_the_limits_and_none_is_kept_of_too_many(
    system: System, limit: dict[str, str]
) -> None:
    api = await system.gateway(API_KEYS=f"daw:{DAW}", **({"KEY_RATE": "0.1"} | limit))
    assert (await post(api, bearer(DAW), variations=5))[0] == 200
    assert (await post(api, bearer(DAW), variations=4))[0] == 429
    assert len(await system.recorded()) == 5


async def test_takes_that_the_queue_has_no_room_for_leave_no_record(system: System) -> None:
    api = await system.gateway()
    await (await system.nats()).jetstream().update_stream(JOBS.evolve(max_msgs=4))
    assert (await post(api, variations=5))[0] == 503
    assert await system.recorded() == []
    assert (await post(api, variations=4))[0] == 200


async def test_one_take_or_all_are_cancelled(system: System) -> None:
    api = await system.gateway()
    jobs = await takes(api, variations=4)

    async def statuses() -> list[str]:
        return [(await api.status(job_id))["status"] for job_id in jobs]

    assert await api.delete(jobs[2]) == 200
    assert await statuses() == ["queued", "queued", "cancelled", "queued"]
    for _ in range(2):
        async with api.http.delete(f"/api/v1/jobs/{jobs[1]}", params={"takes": "1"}) as response:
            assert response.status == 200
        assert await statuses() == ["cancelled"] * 4


async def test_finished_takes_stay_when_the_others_are_cancelled(system: System) -> None:
    api, worker = await system.gateway(), await system.worker()
    jobs = await takes(api, variations=2)
    for job_id in jobs:
        await api.until(job_id, "completed")
    await worker.stop()
    async with api.http.delete(f"/api/v1/jobs/{jobs[0]}", params={"takes": "1"}) as response:
        assert response.status == 409


async def test_a_bucket_of_an_earlier_version_takes_single_jobs_until_it_is_updated(system: System) -> None:
    js = (await system.nats()).jetstream()
    await ensure_streams(js)
    name = f"KV_{subjects.JOBS_BUCKET}"
    await js.update_stream((await js.stream_info(name)).config.evolve(allow_atomic=False))
    api = await system.gateway()
    status, answer = await post(api, variations=2)
    assert status == 503
    assert "allow_atomic" in answer["detail"]
    assert await system.recorded() == []
    await _update_records(system.nats_urls["operator"])
    assert (await post(api, variations=2))[0] == 200


async def test_records_are_created_together_or_not_at_all(system: System) -> None:
    records = await system.records()
    jobs = [accepted(f"gen_{number:012d}", RECIPE, now()) for number in range(5)]
    single = await records.create(jobs[3])
    with pytest.raises(ConflictError):
        await records.create_all(jobs)
    assert await system.recorded() == [jobs[3].job_id]
    await records.remove(single)  # what was removed leaves a marker, and can be created again
    entries = await records.create_all(jobs)
    assert [await records.get(job.job_id) for job in jobs] == entries


async def test_a_batch_without_its_last_message_leaves_nothing(system: System) -> None:
    """A gateway that dies while it sends the records of several takes."""
    records, dying = await system.records(), await system.nats("gateway")
    for number in (1, 2):
        headers = {BATCH_ID: "unfinished", BATCH_SEQUENCE: str(number)}
        await dying.publish(subjects.record_subject(f"gen_{number:012d}"), b"{}", headers=headers)
    await flush(dying)
    await dying.close()
    assert await records.get("gen_000000000001") is None
