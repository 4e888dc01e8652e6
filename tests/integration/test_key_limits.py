"""Limits of an API key across several gateways."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import aiohttp
import pytest
from nats.js.errors import ServerError

from gateway.access.reservations import SETTLE_TIME, Reservations, Reserved
from gateway.jobs.trimmer import TARGET_SHARE
from shared import subjects
from shared.record_feed import read_records
from shared.topology import RECORDS, ensure_quotas
from tests.integration.jobs import plant_finished
from tests.integration.system import Api, System, eventually
from tests.unit.gateway.samples import DAW, WEB, bearer

# What a stored job answers.
CACHED = {"seed": 7, "outputs": ["midi"]}
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

    async def settled(each: int) -> tuple[int, str]:
        """As a client does, repeat a request that a busy broker kept from being decided."""
        while (answer := await post(clients[each % len(clients)], f"take-{each}", **fields))[0] == 503:
            await asyncio.sleep(0.2)
        return answer

    return await asyncio.gather(*(settled(each) for each in range(number)))


def tally(answers: list[tuple[int, str]]) -> dict[int, int]:
    return dict(Counter(status for status, _ in answers))


async def left_behind(system: System) -> tuple[int, int, int]:
    """The records, the messages and the jobs that events tell of."""
    js = (await system.nats()).jetstream()
    queue = await js.stream_info(subjects.JOBS_STREAM)
    events = await js.stream_info(subjects.EVENTS_STREAM, subjects_filter=subjects.ALL_EVENTS)
    jobs = {subject.split(".")[2] for subject in events.state.subjects or {}}
    return len(await system.recorded()), queue.state.messages, len(jobs)


@pytest.mark.parametrize("fields", [{}, {"seed": 7, "cache": True}], ids=["new", "that follow"])
async def test_two_gateways_enforce_the_job_limit_of_a_key_exactly(
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


async def test_two_gateways_enforce_the_daily_seconds_of_a_key_exactly(system: System, stack: AsyncExitStack) -> None:
    gateways = await start(system, stack, KEY_QUEUED_JOBS="1000", KEY_DAILY_SECONDS="250")
    answers = await flood(gateways, 200, duration=2.5)
    assert tally(answers) == {200: 100, 429: 100}
    assert "250 seconds of audio" in next(detail for status, detail in answers if status == 429)
    assert await left_behind(system) == (100, 100, 100)


async def test_a_cancel_frees_the_quota_on_every_gateway(system: System, stack: AsyncExitStack) -> None:
    gateways = await start(system, stack, KEY_QUEUED_JOBS="1")
    (_, job_id), there = await post(gateways.daw[0]), gateways.daw[1]
    assert (await post(there))[0] == 429
    async with gateways.daw[0].delete(f"/api/v1/jobs/{job_id}") as response:
        assert response.status == 200

    async def accepted() -> bool:
        return (await post(there))[0] == 200

    await eventually(accepted, "the other gateway knows")


async def test_a_job_that_could_not_be_queued_uses_no_quota(system: System, stack: AsyncExitStack) -> None:
    gateways = await start(system, stack, KEY_QUEUED_JOBS="1")
    js = (await system.nats()).jetstream()
    config = (await js.stream_info(subjects.JOBS_STREAM)).config
    await js.update_stream(config.evolve(max_msgs=1))
    assert (await post(gateways.web[0]))[0] == 200
    assert (await post(gateways.daw[0]))[0] == 503
    await js.update_stream(config)
    assert (await post(gateways.daw[1]))[0] == 200


async def test_quotas_are_recounted_after_their_bucket_was_deleted(system: System, stack: AsyncExitStack) -> None:
    gateways = await start(system, stack, KEY_QUEUED_JOBS="2")
    assert (await post(gateways.daw[0]))[0] == 200
    await (await system.nats()).jetstream().delete_key_value(subjects.QUOTAS_BUCKET)

    async def accepted() -> bool:
        return (await post(gateways.daw[1]))[0] == 200

    await eventually(accepted, "the bucket is made again")
    assert (await post(gateways.daw[0]))[0] == 429


async def known(api: Api, job_id: str) -> None:
    """Until a gateway can answer with what a job made."""

    async def here() -> bool:
        return api.services.index.record(job_id) is not None

    await eventually(here, "the gateway knows")


async def records_of(system: System, owner: str | None) -> list[str]:
    return [entry.record.job_id async for entry, _ in read_records(await system.nats()) if entry.record.owner == owner]


async def test_a_key_that_fills_its_records_is_refused_and_no_other_key(
    system: System, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.acceptance.MAX_RECORDS", 60)
    monkeypatch.setattr("gateway.jobs.trimmer.BLOCKED_INTERVAL", 0.1)
    gateways = await start(system, stack, KEY_RECORDS="20")
    stored = await plant_finished(system, owner="daw")
    await known(gateways.apis[0], stored)
    answers, others = [], []
    for number in range(40):
        answers.append((await post(gateways.daw[0], f"take-{number}", **CACHED))[0])
        others.append((await post(gateways.web[0]))[0] if number % 4 == 0 else 200)
    assert answers == [200] * 19 + [429] * 21
    assert set(others) == {200}
    repeated, _ = await post(gateways.daw[1], "take-0", **CACHED)
    assert repeated == 200
    # A minute later its oldest answers go, and the audio that they share stays.
    monkeypatch.setattr("gateway.jobs.trimmer.GRACE", timedelta(0))

    async def trimmed() -> bool:
        return len(await records_of(system, "daw")) <= 20 * TARGET_SHARE

    await eventually(trimmed, "records are removed")
    assert stored in await records_of(system, "daw")
    status, job_id = await post(gateways.daw[0], None, **CACHED)
    assert status == 200
    async with gateways.daw[0].get(f"/api/v1/download/{job_id}", allow_redirects=False) as response:
        assert response.status == 302


async def test_without_keys_cached_answers_are_trimmed_before_a_503(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("gateway.jobs.acceptance", "gateway.jobs.trimmer"):
        monkeypatch.setattr(f"{module}.MAX_RECORDS", 100)
    monkeypatch.setattr("gateway.jobs.trimmer.INTERVAL", 0.01)
    monkeypatch.setattr("gateway.jobs.trimmer.BLOCKED_INTERVAL", 0.01)
    monkeypatch.setattr("gateway.jobs.trimmer.GRACE", timedelta(0))
    api = await system.gateway()
    stored = await plant_finished(system)
    await known(api, stored)
    statuses = [(await post(api.http, None, **CACHED))[0] for _ in range(300)]
    assert set(statuses) == {200}
    assert len(await records_of(system, None)) < 100
    assert (await api.status(stored))["status"] == "completed"


async def test_a_repeated_request_finds_its_job_at_the_record_limit(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.acceptance.MAX_RECORDS", 1)
    api = await system.gateway()
    accepted = await post(api.http, "take-1")
    assert accepted[0] == 200
    assert await post(api.http, "take-1") == accepted
    assert (await post(api.http, "take-2"))[0] == 503


async def test_removing_a_record_leaves_no_message(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.records.MARKER_TTL", 1)
    records, job_id = await system.records(), await plant_finished(system)
    entry = await records.get(job_id)
    assert entry is not None
    await records.remove(entry)
    assert await records.get(job_id) is None

    async def empty() -> bool:
        return (await records.bucket.status()).values == 0

    await eventually(empty, "the marker disappears")


async def test_a_record_is_removed_from_a_bucket_without_message_ttls(system: System) -> None:
    js = (await system.nats()).jetstream()
    await js.create_key_value(RECORDS)
    name = f"KV_{subjects.JOBS_BUCKET}"
    config = (await js.stream_info(name)).config
    await js.delete_stream(name)

    async def created() -> bool:
        try:
            await js.add_stream(config.evolve(allow_msg_ttl=False))
        except ServerError:  # the server is still removing the files of the old stream
            return False
        return True

    await eventually(created, "the stream is created")
    records, job_id = await system.records(), await plant_finished(system)
    entry = await records.get(job_id)
    assert entry is not None
    await records.remove(entry)
    assert await records.get(job_id) is None


class Clock:
    """Stands where the test puts it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_reservation_counts_until_every_index_has_its_job(system: System) -> None:
    api, clock = await system.gateway(), Clock()
    reservations = Reservations(api.services.bus, clock=clock)
    seen: list[Reserved] = []
    assert await reservations.add("daw", "gen_000000000001", 1.5, seen.append)
    assert not await reservations.add("daw", "gen_000000000001", 1.5, seen.append)
    clock.now = SETTLE_TIME - 1
    assert await reservations.add("daw", "gen_000000000002", 2.5, seen.append)
    assert await reservations.add("web", "gen_000000000003", 3.5, seen.append)
    clock.now = SETTLE_TIME
    assert await reservations.add("daw", "gen_000000000004", 4.5, seen.append)
    await reservations.remove("daw", "gen_000000000004")
    # A gateway that has just started does not know how old they are.
    await Reservations(api.services.bus).add("daw", "gen_000000000005", 5.5, seen.append)
    assert seen == [{}, {"gen_000000000001": 1.5}, {}, {"gen_000000000002": 2.5}, {"gen_000000000002": 2.5}]


@pytest.mark.parametrize("value", [b"", b"nonsense", b"[]"])
async def test_an_unreadable_quota_entry_is_replaced(system: System, value: bytes) -> None:
    api, seen = await system.gateway(), list[Reserved]()
    bucket = await ensure_quotas((await system.nats()).jetstream())
    await bucket.put("daw", value)
    await Reservations(api.services.bus).add("daw", "gen_000000000001", 1.5, seen.append)
    assert seen == [{}]
    assert (await bucket.get("daw")).value == b'{"gen_000000000001":1.5}'
