"""Jobs that nobody moves are brought to a worker, or to their end."""

from datetime import timedelta

import pytest
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig

from shared import subjects
from shared.messages import JobStatus
from shared.topology import JOBS, ensure_streams
from tests.integration.finished import make
from tests.integration.system import System, eventually


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sweep.QUIET", 0.0)
    monkeypatch.setattr("gateway.sweep.INTERVAL", 0.2)


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


async def test_a_job_that_no_worker_takes_for_days_fails_with_the_reason(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.sweep.UNSERVED", timedelta(seconds=0))
    api = await system.gateway()
    job_id = await api.generate(model="large")
    status = await api.until(job_id, "failed")
    assert "MUSICGEN_MODEL_SIZE=large" in status["error_message"]
    await until_messages((await system.nats()).jetstream(), 0)


async def test_a_job_that_waits_in_the_queue_is_left_alone_by_the_sweep(system: System) -> None:
    api = await system.gateway()
    jobs = [await api.generate(duration=0.5) for _ in range(3)]
    js = (await system.nats()).jetstream()
    before = (await js.stream_info(subjects.JOBS_STREAM)).state
    for _ in range(3):
        await api.services.sweep.sweep()
    after = (await js.stream_info(subjects.JOBS_STREAM)).state
    assert (after.messages, after.last_seq) == (before.messages, before.last_seq) == (3, 3)
    await system.worker()
    for job_id in jobs:
        await api.until(job_id, "completed")


async def test_a_job_whose_worker_never_came_back_ends_as_well(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sweep.UNSERVED", timedelta(seconds=0))
    api = await system.gateway()
    job_id = await make(system, status=JobStatus.PROCESSING, audio=None, outputs=(), claims=1, attempts=1)
    assert "No worker moved this job" in (await api.until(job_id, "failed"))["error_message"]


@pytest.mark.parametrize("subject", ["music.jobs.a/b.normal", "music.jobs.$SYS.normal"])
async def test_a_message_that_no_worker_can_be_asked_for_stops_no_sweep(system: System, subject: str) -> None:
    api, js = await system.gateway(), (await system.nats()).jetstream()
    await js.publish(subject, b"{}")
    job_id = await api.generate(duration=0.5)
    await js.purge_stream(subjects.JOBS_STREAM, subject="music.jobs.starter.*")
    await until_messages(js, 2)
    await system.worker()
    await api.until(job_id, "completed")


async def test_a_queue_full_of_what_was_given_up_is_delivered_again(system: System) -> None:
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
