"""Full queues, foreign messages, repeated requests, and jobs that the queue lost."""

import json

import aiohttp
import pytest
from nats.js import JetStreamContext

from gateway.jobs.queue_reader import remove_message
from shared import subjects
from shared.messages import JobRecord, JobStatus
from shared.record_feed import STREAM
from shared.records import Records
from shared.topology import JOBS, ensure_streams
from tests.integration.jobs import plant_finished
from tests.integration.system import Api, System, eventually
from tests.unit.gateway.samples import DAW, bearer


async def test_a_full_queue_is_a_503_and_leaves_no_record(system: System) -> None:
    api = await system.gateway()
    js = (await system.nats()).jetstream()
    await js.update_stream(JOBS.evolve(max_msgs=2))
    accepted = [await api.generate(), await api.generate()]
    async with api.http.post("/api/v1/generate", json={"prompt": "one too many"}) as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0
        assert "full" in (await response.json())["detail"]

    async def listed() -> bool:
        async with api.http.get("/api/v1/jobs") as response:
            listing = await response.json()
        return [job["job_id"] for job in listing["jobs"]] == accepted[::-1] and listing["total"] == 2

    await eventually(listed, "the watch tells that the third record was taken back")
    bucket = await js.key_value(subjects.JOBS_BUCKET)
    assert len(await bucket.keys()) == 2
    # What is taken back leaves a marker, so the next ones have no record to begin with.
    before = (await bucket.status()).values
    for _ in range(5):
        async with api.http.post("/api/v1/generate", json={"prompt": "one too many"}) as response:
            assert response.status == 503
    assert (await bucket.status()).values == before
    assert await api.delete(accepted[0]) == 200
    await api.generate()


RECIPE = {"model": "starter", "prompt": "tone", "duration": 1.0}
FOREIGN = json.dumps({"job_id": "a..b", "recipe": RECIPE, "created_at": "2024-12-01T10:00:00Z"}).encode()


@pytest.mark.parametrize("payload", [b"", b"not json", b"{}", b'{"job_id": "gen_000000000000"}', b"\xff\xfe", FOREIGN])
async def test_a_foreign_message_is_terminated_and_the_next_job_runs(system: System, payload: bytes) -> None:
    api, _ = await system.gateway(), await system.worker()
    js = (await system.nats()).jetstream()
    await js.publish("music.jobs.starter.normal", payload)
    await api.until(await api.generate(duration=0.5), "completed")

    async def empty() -> bool:
        return (await js.stream_info(subjects.JOBS_STREAM)).state.messages == 0

    await eventually(empty, "both messages are gone")


async def test_a_job_without_a_record_is_terminated(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    js = (await system.nats()).jetstream()
    job = {"job_id": "gen_000000000000", "recipe": RECIPE, "created_at": "2024-12-01T10:00:00Z"}
    await js.publish("music.jobs.starter.normal", json.dumps(job).encode())
    await api.until(await api.generate(duration=0.5), "completed")

    async def empty() -> bool:
        return (await js.stream_info(subjects.JOBS_STREAM)).state.messages == 0

    await eventually(empty, "both messages are gone")


async def test_the_job_message_is_json_with_id_and_trace_context(system: System) -> None:
    api = await system.gateway()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    job_id = await api.generate("piano", duration=2, seed=1, headers={"traceparent": trace})
    message = await (await system.nats()).jetstream().get_msg(subjects.JOBS_STREAM, seq=1)
    assert message.subject == "music.jobs.starter.normal"
    body = json.loads(message.data or b"")
    assert body["job_id"] == job_id
    assert body["recipe"]["prompt"] == "piano"
    headers = message.headers or {}
    assert headers["Nats-Msg-Id"] == job_id
    assert headers["traceparent"].split("-")[1] == trace.split("-")[1]


async def test_the_same_idempotency_key_returns_the_first_job(system: System) -> None:
    api = await system.gateway()
    headers = {"Idempotency-Key": "take-1"}
    first = await api.generate("tone", headers=headers)
    assert await api.generate("tone", headers=headers) == first
    assert await api.generate("tone", headers={"Idempotency-Key": "take-2"}) != first
    async with api.http.post("/api/v1/generate", json={"prompt": "other"}, headers=headers) as response:
        assert response.status == 422
        assert (await response.json())["errors"][0]["field"] == "Idempotency-Key"
    js = (await system.nats()).jetstream()
    assert (await js.stream_info(subjects.JOBS_STREAM)).state.messages == 2


async def test_a_repeated_request_queues_a_half_accepted_job(system: System) -> None:
    """As when a gateway dies between record and publish: the client saw no 200 and asks again."""
    api = await system.gateway()
    headers = {"Idempotency-Key": "take-1"}
    job_id = await api.generate("tone", headers=headers)
    js = (await system.nats()).jetstream()
    await js.purge_stream(subjects.JOBS_STREAM)
    # The broker still knows the message id; a new stream, like a publish that never came, does not.
    await js.delete_stream(subjects.JOBS_STREAM)
    await ensure_streams(js)
    assert await api.generate("tone", headers=headers) == job_id
    assert (await js.stream_info(subjects.JOBS_STREAM)).state.messages == 1


async def test_jobs_are_listed_newest_first_in_pages(system: System) -> None:
    api = await system.gateway()
    made = [await api.generate(f"take {number}") for number in range(5)]
    await api.delete(made[0])
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        async with api.http.get("/api/v1/jobs", params=params) as response:
            page = await response.json()
        assert page["total"] == 5
        seen += [job["job_id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]
    async with api.http.get("/api/v1/jobs", params={"status": "cancelled"}) as response:
        page = await response.json()
    assert ([job["job_id"] for job in page["jobs"]], page["total"]) == ([made[0]], 1)


async def test_a_second_gateway_knows_the_jobs_of_the_first(system: System) -> None:
    first = await system.gateway()
    before = await first.generate()
    second = await system.gateway()
    after = await first.generate()
    for job_id in (before, after):
        assert (await second.status(job_id))["status"] == "queued"
    assert await second.delete(after) == 200
    assert (await first.until(after, "cancelled"))["status"] == "cancelled"


async def test_a_foreign_record_does_not_stop_the_others(system: System) -> None:
    api = await system.gateway()
    first = await api.generate()
    bucket = await (await system.nats()).jetstream().key_value(subjects.JOBS_BUCKET)
    good = json.loads((await bucket.get(first)).value or b"")
    for key, change in {
        "gen_zzzzzzzzzzz1": {"created_at": "2026-11-23T05:00:00"},
        "gen_zzzzzzzzzzz2": {"recipe": good["recipe"] | {"duration": 0}},
        "evil": {"status": "failed"},
    }.items():
        await bucket.put(key, json.dumps(good | change).encode())
    await bucket.put("gen_zzzzzzzzzzz3", b"\xff")
    second = await system.gateway()
    job_id = await second.generate()
    for each in (api, second):
        assert (await each.until(job_id, "queued"))["status"] == "queued"
        assert (await each.status(first))["status"] == "queued"


@pytest.mark.parametrize("deleted", ["consumer", subjects.JOBS_STREAM, subjects.EVENTS_STREAM])
async def test_deleted_streams_are_created_again_and_work_continues(system: System, deleted: str) -> None:
    api, _ = await system.gateway(), await system.worker()
    await api.until(await api.generate(duration=0.5), "completed")
    js = (await system.nats()).jetstream()
    if deleted == "consumer":
        await js.delete_consumer(subjects.JOBS_STREAM, "worker-starter")
    else:
        await js.delete_stream(deleted)

    async def accepted() -> str | None:
        async with api.http.post("/api/v1/generate", json={"prompt": "tone", "duration": 0.5}) as response:
            return str((await response.json())["job_id"]) if response.status == 200 else None

    job_id = await eventually(accepted, "a job is accepted")
    await api.until(job_id, "completed", timeout=60)


async def test_a_message_that_another_gateway_removed_counts_as_removed(system: System) -> None:
    js = (await system.nats()).jetstream()
    await ensure_streams(js)
    number = (await js.publish("music.jobs.starter.normal", b"{}")).seq
    for _ in range(2):
        await remove_message(js, number)
    await remove_message(js, number + 7)
    assert (await js.stream_info(subjects.JOBS_STREAM)).state.messages == 0


async def test_a_cancel_removes_no_message_of_another_job(system: System) -> None:
    """The stream was deleted, and its sequence numbers start again."""
    api = await system.gateway()
    cancelled = await api.generate()
    js = (await system.nats()).jetstream()
    await js.delete_stream(subjects.JOBS_STREAM)
    await ensure_streams(js)
    await api.generate()
    assert await api.delete(cancelled) == 200
    assert (await js.stream_info(subjects.JOBS_STREAM)).state.messages == 1


async def test_a_cancel_removes_the_message_that_another_gateway_published(system: System) -> None:
    first, second = await system.gateway(), await system.gateway()
    job_id = await first.generate()

    async def known() -> bool:
        return second.services.index.record(job_id) is not None

    await eventually(known, "the second gateway knows the job")
    assert await second.delete(job_id) == 200
    assert await _is_empty((await system.nats()).jetstream())


@pytest.fixture
async def records(system: System) -> Records:
    """The records, which an operator lets the broker keep for two seconds only."""
    found, js = await system.records(), (await system.nats()).jetstream()
    config = (await js.stream_info(STREAM)).config
    await js.update_stream(config, max_age=2.0, duplicate_window=2.0)
    return found


async def test_a_worker_recreates_a_record_that_expired_in_the_queue(system: System, records: Records) -> None:
    api = await system.gateway(API_KEYS=f"daw:{DAW}")
    async with aiohttp.ClientSession(api.url, headers=bearer(DAW)) as http:
        job_id = await Api(api.url, api.services, http).generate(duration=0.5)

    async def is_gone() -> bool:
        return await records.get(job_id) is None

    async def completed() -> JobRecord | None:
        entry = await records.get(job_id)
        return entry.record if entry and entry.record.status is JobStatus.COMPLETED else None

    await eventually(is_gone, "the broker removes the record")
    await system.worker()
    assert (await eventually(completed, "the worker makes the job")).owner == "daw"


async def test_a_job_whose_record_was_deleted_is_not_recreated(system: System, records: Records) -> None:
    deleted, js = "gen_000000000001", (await system.nats()).jetstream()
    job = {"job_id": deleted, "recipe": RECIPE, "created_at": "2024-12-01T10:00:00Z"}
    await js.publish("music.jobs.starter.normal", json.dumps(job).encode())
    later = await plant_finished(system)

    async def is_gone() -> bool:
        return await records.get(later) is None

    await eventually(is_gone, "the message has waited for longer than records live")
    await records.bucket.delete(deleted)
    await system.worker()
    await eventually(lambda: _is_empty(js), "the worker takes the message from the queue")
    assert await records.get(deleted) is None


async def _is_empty(js: JetStreamContext) -> bool:
    return (await js.stream_info(subjects.JOBS_STREAM)).state.messages == 0
