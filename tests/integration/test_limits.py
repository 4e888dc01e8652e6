"""The limits of an API key, with several gateways at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from shared import subjects
from tests.integration.system import Api, System, eventually
from tests.unit.gateway.samples import DAW, WEB, bearer

KEYS = {"API_KEYS": f"daw:{DAW},web:{WEB}", "KEY_RATE": "10000", "KEY_BURST": "10000"}


class Gateways:
    """Gateways over one broker, and the clients of two keys at each of them."""

    def __init__(self, apis: list[Api], daw: list[aiohttp.ClientSession], web: list[aiohttp.ClientSession]) -> None:
        self.apis = apis
        self.daw = daw
        self.web = web


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def start(system: System, stack: AsyncExitStack, number: int = 2, **changes: str) -> Gateways:
    apis = [await system.gateway(**KEYS, **changes) for _ in range(number)]

    async def clients(key: str) -> list[aiohttp.ClientSession]:
        sessions = [aiohttp.ClientSession(api.url, headers=bearer(key)) for api in apis]
        return [await stack.enter_async_context(session) for session in sessions]

    return Gateways(apis, await clients(DAW), await clients(WEB))


async def post(http: aiohttp.ClientSession, key: str | None = None, **fields: object) -> tuple[int, str]:
    """The status, and the job's id or what is wrong."""
    headers = {"Idempotency-Key": key} if key else {}
    body = {"prompt": "tone", "duration": 1.0, "seed": None} | fields
    async with http.post("/api/v1/generate", json=body, headers=headers) as response:
        answer = await response.json()
        if response.status == 429:
            assert int(response.headers["Retry-After"]) > 0
        return response.status, str(answer.get("job_id") or answer.get("detail"))


async def flood(gateways: Gateways, number: int, **fields: object) -> list[tuple[int, str]]:
    """`number` requests of one key at the same time, in turn to each gateway, each with a key of its own."""
    clients = gateways.daw
    return await asyncio.gather(
        *(post(clients[each % len(clients)], f"take-{each}", **fields) for each in range(number))
    )


def tally(answers: list[tuple[int, str]]) -> dict[int, int]:
    return dict(Counter(status for status, _ in answers))


async def left_behind(system: System) -> tuple[int, int, int]:
    """The records, the messages and the jobs that events tell of."""
    js = (await system.nats()).jetstream()
    records = await (await system.records()).bucket.status()
    queue = await js.stream_info(subjects.JOBS_STREAM)
    events = await js.stream_info(subjects.EVENTS_STREAM, subjects_filter=subjects.ALL_EVENTS)
    jobs = {subject.split(".")[2] for subject in events.state.subjects or {}}
    return records.values, queue.state.messages, len(jobs)


@pytest.mark.parametrize("fields", [{}, {"seed": 7, "cache": True}], ids=["new", "that follow"])
async def test_two_gateways_admit_exactly_as_many_jobs_of_a_key_as_may_wait(
    system: System, stack: AsyncExitStack, fields: dict[str, object]
) -> None:
    gateways = await start(system, stack, KEY_QUEUED_JOBS="100")
    answers = await flood(gateways, 400, **fields)
    assert tally(answers) == {200: 100, 429: 300}
    accepted = {f"take-{each}": job_id for each, (status, job_id) in enumerate(answers) if status == 200}
    assert len(set(accepted.values())) == 100
    queued = 1 if fields else 100
    assert await left_behind(system) == (100, queued, 100)
    # At the limit, a repetition finds its job on either gateway, and another key has room.
    for http in gateways.daw:
        for key in list(accepted)[:5]:
            assert await post(http, key, **fields) == (200, accepted[key])
    assert (await post(gateways.web[0]))[0] == 200


async def test_two_gateways_admit_exactly_as_many_seconds_of_a_key_as_a_day_has(
    system: System, stack: AsyncExitStack
) -> None:
    gateways = await start(system, stack, KEY_QUEUED_JOBS="1000", KEY_DAILY_SECONDS="250")
    answers = await flood(gateways, 200, duration=2.5)
    assert tally(answers) == {200: 100, 429: 100}
    assert "250 seconds of audio" in next(detail for status, detail in answers if status == 429)
    assert await left_behind(system) == (100, 100, 100)


async def test_a_place_is_free_on_every_gateway_when_a_job_is_cancelled(system: System, stack: AsyncExitStack) -> None:
    gateways = await start(system, stack, KEY_QUEUED_JOBS="1")
    (_, job_id), there = await post(gateways.daw[0]), gateways.daw[1]
    assert (await post(there))[0] == 429
    async with gateways.daw[0].delete(f"/api/v1/jobs/{job_id}") as response:
        assert response.status == 200

    async def accepted() -> bool:
        return (await post(there))[0] == 200

    await eventually(accepted, "the other gateway knows")


async def test_a_job_that_could_not_be_queued_takes_no_place(system: System, stack: AsyncExitStack) -> None:
    gateways = await start(system, stack, KEY_QUEUED_JOBS="1")
    js = (await system.nats()).jetstream()
    config = (await js.stream_info(subjects.JOBS_STREAM)).config
    await js.update_stream(config.evolve(max_msgs=1))
    assert (await post(gateways.web[0]))[0] == 200
    assert (await post(gateways.daw[0]))[0] == 503
    await js.update_stream(config)
    assert (await post(gateways.daw[1]))[0] == 200


async def test_limits_are_counted_again_after_their_bucket_was_deleted(system: System, stack: AsyncExitStack) -> None:
    gateways = await start(system, stack, KEY_QUEUED_JOBS="2")
    assert (await post(gateways.daw[0]))[0] == 200
    await (await system.nats()).jetstream().delete_key_value(subjects.QUOTAS_BUCKET)

    async def accepted() -> bool:
        return (await post(gateways.daw[1]))[0] == 200

    await eventually(accepted, "the bucket is made again")
    assert (await post(gateways.daw[0]))[0] == 429
