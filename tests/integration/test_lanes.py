"""Priorities, and fairness between API keys, on a real broker with real workers."""

from typing import Any

from nats.js.api import ConsumerConfig

from shared import subjects
from shared.topology import consumer_config, ensure_streams
from tests.integration.system import Api, System, eventually
from tests.unit.gateway.samples import DAW, WEB, bearer

KEYS = {"API_KEYS": f"daw:{DAW},web:{WEB}", "KEY_RATE": "10000", "KEY_BURST": "10000", "KEY_QUEUED_JOBS": "1000"}


async def accept(api: Api, key: str = "", **fields: Any) -> str:
    body = {"prompt": "tone", "duration": 0.5, **fields}
    async with api.http.post("/api/v1/generate", json=body, headers=bearer(key)) as response:
        answer = await response.json()
        assert response.status == 200, answer
        return str(answer["job_id"])


async def statuses(api: Api, jobs: list[str], key: str = "") -> list[dict[str, Any]]:
    async def status(job_id: str) -> dict[str, Any]:
        async with api.http.get(f"/api/v1/status/{job_id}", headers=bearer(key)) as response:
            found: dict[str, Any] = await response.json()
            return found

    return [await status(job_id) for job_id in jobs]


async def order_of_start(api: Api, jobs: list[str], key: str = "") -> list[str]:
    """The jobs in the order in which workers started them, once all have completed."""

    async def completed() -> list[dict[str, Any]] | None:
        found = await statuses(api, jobs, key)
        return found if all(each["status"] == "completed" for each in found) else None

    found = await eventually(completed, "all jobs complete")
    return [each["job_id"] for each in sorted(found, key=lambda each: each["started_at"])]


async def until_started(api: Api, job_id: str, key: str) -> dict[str, Any]:
    async def started() -> dict[str, Any] | None:
        (found,) = await statuses(api, [job_id], key)
        return found if found["started_at"] else None

    status: dict[str, Any] = await eventually(started, f"{job_id} starts")
    return status


async def test_urgent_jobs_overtake_those_that_wait(system: System) -> None:
    api = await system.gateway()
    batch = [await accept(api, priority="batch") for _ in range(3)]
    normal = [await accept(api) for _ in range(3)]
    interactive = [await accept(api, priority="interactive") for _ in range(3)]
    expected = [*interactive, *normal, *batch]
    found = await statuses(api, expected)
    assert [each["queue_position"] for each in found] == list(range(1, 10))
    assert [each["priority"] for each in found] == ["interactive"] * 3 + ["normal"] * 3 + ["batch"] * 3
    await system.worker(MAX_CONCURRENT_JOBS="1")
    assert await order_of_start(api, expected) == expected


async def test_one_job_does_not_wait_for_the_many_of_another_key(system: System) -> None:
    api = await system.gateway(**KEYS)
    flood = [await accept(api, DAW) for _ in range(200)]
    await system.worker(MAX_CONCURRENT_JOBS="1")
    await until_started(api, flood[2], DAW)
    single = await accept(api, WEB)
    (accepted,) = await statuses(api, [single], WEB)
    assert accepted["queue_position"] in (None, 1, 2)
    started = await until_started(api, single, WEB)
    between = [
        each["job_id"]
        for each in await statuses(api, flood, DAW)
        if each["started_at"] and accepted["created_at"] < each["started_at"] < started["started_at"]
    ]
    assert len(between) <= 2  # the one that was being taken, and one in whose turn the single job came


async def test_the_default_priority_of_a_key_counts(system: System) -> None:
    api = await system.gateway(**KEYS, KEY_PRIORITIES="web:batch")
    (found,) = await statuses(api, [await accept(api, WEB)], WEB)
    assert found["priority"] == "batch"
    js = (await system.nats()).jetstream()
    info = await js.stream_info(subjects.JOBS_STREAM, subjects_filter=subjects.ALL_JOBS)
    assert info.state.subjects == {"music.jobs.starter.batch-1": 1}


async def test_an_earlier_versions_consumer_is_narrowed_and_its_jobs_are_done(system: System) -> None:
    js = (await system.nats()).jetstream()
    await ensure_streams(js)
    earlier = ConsumerConfig(**{**consumer_config("starter").__dict__, "filter_subject": "music.jobs.starter.*"})
    await js.add_consumer(subjects.JOBS_STREAM, earlier)
    api = await system.gateway()
    jobs = [await accept(api) for _ in range(3)]
    pull = await js.pull_subscribe_bind("worker-starter", subjects.JOBS_STREAM)
    (held,) = await pull.fetch(1, timeout=5)  # as an earlier worker that is stopped during the upgrade
    await held.nak()
    jobs.append(await accept(api, priority="batch"))
    await system.worker()
    await order_of_start(api, jobs)
    info = await js.consumer_info(subjects.JOBS_STREAM, "worker-starter")
    assert info.config.filter_subject == "music.jobs.starter.normal"
    assert (await js.stream_info(subjects.JOBS_STREAM)).state.messages == 0
