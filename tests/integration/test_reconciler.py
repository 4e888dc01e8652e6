"""The reconciler queues stalled jobs again, or fails them."""

from datetime import timedelta
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.manager import JetStreamManager

from gateway.jobs.queue_reader import QueueReader, QueueSnapshot
from shared import subjects
from shared.messages import JobStatus
from shared.record_feed import STREAM
from shared.topology import JOBS, ensure_streams
from tests.integration.jobs import plant_finished
from tests.integration.system import Api, System, eventually, running_gateway


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.jobs.reconciler.STALL_TIME", 0.0)
    monkeypatch.setattr("gateway.jobs.reconciler.INTERVAL", 0.2)


async def until_messages(js: JetStreamContext, count: int) -> None:
    async def reached() -> bool:
        return (await js.stream_info(subjects.JOBS_STREAM)).state.messages == count

    await eventually(reached, f"{count} messages are in the queue")


async def test_an_accepted_job_without_a_message_is_queued_by_the_gateway(system: System) -> None:
    """As after a gateway's death between record and publish."""
    first = await system.gateway()
    job_id = await first.generate(duration=0.5)
    js = (await system.nats()).jetstream()
    await js.delete_stream(subjects.JOBS_STREAM)
    await ensure_streams(js)
    # Another gateway knows the record and no message.
    await system.gateway()
    await until_messages(js, 1)
    await system.worker()
    assert (await first.until(job_id, "completed"))["attempts"] == 1


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every job has waited for longer than jobs wait for a worker."""
    monkeypatch.setattr("gateway.jobs.reconciler.UNSERVED", timedelta(seconds=0))


@pytest.mark.usefixtures("old")
async def test_a_job_that_no_worker_takes_for_days_fails_with_the_reason(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.reconciler.ABSENCE", 0.0)
    api = await system.gateway()
    job_id = await api.generate(model="large")
    status = await api.until(job_id, "failed")
    assert "MUSICGEN_MODEL_SIZE=large" in status["error_message"]
    await until_messages((await system.nats()).jetstream(), 0)


@pytest.mark.usefixtures("old")
async def test_a_gateway_that_just_started_fails_no_old_job(system: System) -> None:
    """Its workers may start after it."""
    api = await system.gateway()
    job_id = await api.generate(duration=0.5)
    assert await usage(api, job_id) == "queued"
    await system.worker()
    await api.until(job_id, "completed")


@pytest.mark.usefixtures("old")
async def test_a_job_that_waited_for_days_runs_if_a_worker_is_there(system: System) -> None:
    api, worker = await system.gateway(), await system.worker(MAX_CONCURRENT_JOBS="1")
    running, waiting = await api.generate("slow", duration=20), await api.generate(duration=0.5)
    await api.until(running, "processing")
    assert await usage(api, waiting) == "queued"
    assert await api.delete(running) == 200
    assert (await api.until(waiting, "completed"))["attempts"] == 1
    await worker.stop()


async def usage(api: Api, job_id: str) -> str:
    """The status of a job after several runs of the reconciler, which its record shows."""
    revisions: set[int] = set()

    async def renewed() -> bool:
        entry = api.services.index.entry(job_id)
        assert entry is not None
        revisions.add(entry.revision)
        return len(revisions) > 3 or entry.record.status.is_terminal

    await eventually(renewed, "the sweep meets the job")
    return str((await api.status(job_id))["status"])


async def test_a_job_whose_record_was_purged_is_forgotten(system: System) -> None:
    api, js = await system.gateway(), (await system.nats()).jetstream()
    other, job_id = [await api.generate(duration=0.5) for _ in range(2)]
    await js.purge_stream(STREAM, subject=f"$KV.{subjects.JOBS_BUCKET}.{job_id}")
    await js.purge_stream(subjects.JOBS_STREAM)

    async def forgotten() -> bool:
        return api.services.index.record(job_id) is None

    await eventually(forgotten, "the gateway forgets the job")
    assert (await api.status(other))["status"] == "queued"


async def test_the_queue_reader_survives_changes_and_a_recreated_stream(system: System) -> None:
    client = await system.nats()
    js, scan = client.jetstream(), QueueReader()
    async with running_gateway(system.settings("gateway")) as api:
        await api.until_ready()
        jobs = [await api.generate(duration=0.5) for _ in range(4)]
        assert list((await scan.read(client)).deliverable) == jobs
        await js.delete_msg(subjects.JOBS_STREAM, 1)
        await js.delete_msg(subjects.JOBS_STREAM, 3)
        later = await api.generate(duration=0.5)
        assert (await scan.read(client)).deliverable == {jobs[1]: 2, jobs[3]: 4, later: 5}
    # The gateway has ended: its reconciler would queue the jobs again.
    await js.delete_stream(subjects.JOBS_STREAM)
    await ensure_streams(js)
    assert await scan.read(client) == QueueSnapshot({}, {}, 0)


async def test_the_queue_reader_reads_each_message_once(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    api, client, scan = await system.gateway(), await system.nats(), QueueReader()
    for _ in range(3):
        await api.generate(duration=0.5)
    read: list[int] = []
    get = JetStreamManager.get_msg

    async def count(js: JetStreamManager, stream: str, seq: int, **options: Any) -> Any:
        read.append(seq)
        return await get(js, stream, seq, **options)

    monkeypatch.setattr(JetStreamManager, "get_msg", count)
    first, second = await scan.read(client), await scan.read(client)
    assert first == second
    assert read == [1, 2, 3]


async def test_the_queue_reader_reads_a_queue_with_many_gaps(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.jobs.queue_reader.MAX_GAPS", 1)
    api, client = await system.gateway(), await system.nats()
    jobs, scan = [await api.generate(duration=0.5) for _ in range(4)], QueueReader()
    await scan.read(client)
    for number in (2, 3):
        await client.jetstream().delete_msg(subjects.JOBS_STREAM, number)
    assert (await scan.read(client)).deliverable == {jobs[0]: 1, jobs[3]: 4}


async def test_the_reconciler_ignores_jobs_waiting_in_the_queue(system: System) -> None:
    api = await system.gateway()
    jobs = [await api.generate(duration=0.5) for _ in range(3)]
    js = (await system.nats()).jetstream()
    before = (await js.stream_info(subjects.JOBS_STREAM)).state
    for _ in range(3):
        await api.services.reconciler.reconcile()
    after = (await js.stream_info(subjects.JOBS_STREAM)).state
    assert (after.messages, after.last_seq) == (before.messages, before.last_seq) == (3, 3)
    await system.worker()
    for job_id in jobs:
        await api.until(job_id, "completed")


@pytest.mark.usefixtures("old")
async def test_a_job_whose_worker_never_returned_fails(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.jobs.reconciler.ABSENCE", 0.0)
    api = await system.gateway()
    job_id = await plant_finished(system, status=JobStatus.PROCESSING, audio=None, outputs=(), claims=1, attempts=1)
    assert "no worker serves its model" in (await api.until(job_id, "failed"))["error_message"]


@pytest.mark.parametrize("subject", ["music.jobs.a/b.normal", "music.jobs.$SYS.normal"])
async def test_an_undeliverable_message_does_not_stop_the_reconciler(system: System, subject: str) -> None:
    api, js = await system.gateway(), (await system.nats()).jetstream()
    await js.publish(subject, b"{}")
    job_id = await api.generate(duration=0.5)
    await js.purge_stream(subjects.JOBS_STREAM, subject="music.jobs.starter.*")
    await until_messages(js, 2)
    await system.worker()
    await api.until(job_id, "completed")


async def test_a_queue_full_of_undeliverable_messages_is_redelivered(system: System) -> None:
    api, js = await system.gateway(), (await system.nats()).jetstream()
    await js.update_stream(JOBS.evolve(max_msgs=2))
    jobs = [await api.generate(duration=0.5) for _ in range(2)]
    once = ConsumerConfig(
        durable_name="worker-starter",
        filter_subject="music.jobs.starter.*",
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=0.5,
        max_deliver=1,
    )
    await js.add_consumer(subjects.JOBS_STREAM, once)
    await (await js.pull_subscribe_bind("worker-starter", subjects.JOBS_STREAM)).fetch(2, timeout=2)
    await eventually(lambda: _are_new(js), "both have another message")
    await js.delete_consumer(subjects.JOBS_STREAM, "worker-starter")
    await system.worker()
    for job_id in jobs:
        await api.until(job_id, "completed")


async def _are_new(js: JetStreamContext) -> bool:
    state = (await js.stream_info(subjects.JOBS_STREAM)).state
    return state.messages == 2 and state.first_seq > 2
