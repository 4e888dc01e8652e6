"""Dead letters: advisories let a gateway recover their jobs before the reconciler finds them."""

from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, StreamState

from gateway.jobs.queue_reader import job_at
from shared import subjects
from tests.integration.system import Api, System, eventually
from tests.servers import Server

NOT_A_JOB = b'{"nonsense": true}'


@pytest.fixture(autouse=True)
def _without_a_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is mended here was mended because of an advisory."""
    monkeypatch.setattr("gateway.jobs.reconciler.INTERVAL", 3600.0)
    monkeypatch.setattr("shared.topology.ACK_WAIT", 1.0)
    monkeypatch.setattr("worker.lease.HEARTBEAT", 0.3)


async def limit_deliveries(js: JetStreamContext, limit: int) -> None:
    """As an operator does while workers run."""
    config: ConsumerConfig = (await js.consumer_info(subjects.JOBS_STREAM, "worker-starter")).config
    config.max_deliver = limit
    await js.add_consumer(subjects.JOBS_STREAM, config)


async def queue(js: JetStreamContext) -> StreamState:
    return (await js.stream_info(subjects.JOBS_STREAM)).state


async def until_queue(js: JetStreamContext, messages: int, last: int) -> None:
    """Wait until the queue holds this many messages, of this many ever published."""

    async def reached() -> bool:
        state = await queue(js)
        return (state.messages, state.last_seq) == (messages, last)

    await eventually(reached, f"{messages} of {last} messages are in the queue")


async def until_logged(caplog: pytest.LogCaptureFixture, *parts: str) -> None:
    """Wait for a line of the log that has all of these in it."""

    async def logged() -> bool:
        return any(all(part in record.getMessage() for part in parts) for record in caplog.records)

    await eventually(logged, f"{parts} are logged")


async def until_settled(api: Api) -> None:
    async def settled() -> bool:
        return not api.services.dead_letters._pending

    await eventually(settled, "nothing is left to look at")


async def test_a_job_out_of_deliveries_is_queued_again_at_once(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    """By one of two gateways, both of which hear of it."""
    (api, _), worker = [await system.gateway() for _ in range(2)], await system.worker()
    js = (await system.nats()).jetstream()
    await limit_deliveries(js, 1)
    job_id = await api.generate("slow", duration=2)
    await api.until(job_id, "processing")
    await worker.vanish()
    await until_queue(js, messages=1, last=2)
    await until_logged(caplog, "dead letter", job_id, "not acknowledged at delivery 1")
    await limit_deliveries(js, -1)
    await system.worker()
    assert (await api.until(job_id, "completed"))["attempts"] == 2
    await until_queue(js, messages=0, last=2)


async def test_a_dead_letter_is_found_while_other_messages_are_pending(system: System) -> None:
    """Its state alone would not tell: what waits for an acknowledgement may be any message."""
    api, doomed, _ = await system.gateway(), await system.worker(), await system.worker()
    js, records = (await system.nats()).jetstream(), await system.records()
    await limit_deliveries(js, 1)
    jobs = [await api.generate("slow", duration=60) for _ in range(4)]
    for job_id in jobs:
        await api.until(job_id, "processing")
    entries = [entry for job_id in jobs if (entry := await records.get(job_id))]
    lost = {each.record.job_id for each in entries if each.record.worker_id == doomed.worker.worker_id}
    await doomed.vanish()
    await until_queue(js, messages=4, last=6)
    assert {await job_at(js, number) for number in (5, 6)} == lost
    assert (await js.consumer_info(subjects.JOBS_STREAM, "worker-starter")).num_ack_pending == 2
    for job_id in jobs:
        assert await api.delete(job_id) == 200


async def test_a_running_job_out_of_deliveries_is_left_to_its_worker(
    system: System, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("worker.lease.HEARTBEAT", 3600.0)
    api, _ = await system.gateway(), await system.worker()
    js = (await system.nats()).jetstream()
    await limit_deliveries(js, 1)
    job_id = await api.generate("slow", duration=6)
    await until_logged(caplog, "dead letter", "not acknowledged at delivery 1")
    assert (await api.until(job_id, "completed"))["attempts"] == 1
    await until_settled(api)
    await until_queue(js, messages=0, last=1)
    assert "queueing again" not in caplog.text


async def test_leftover_messages_of_ended_jobs_are_removed(system: System) -> None:
    """As when a worker dies and another gateway, which does not know the message, cancels its job."""
    api, worker = await system.gateway(), await system.worker()
    other, js = await system.gateway(), (await system.nats()).jetstream()
    await limit_deliveries(js, 1)
    job_id = await api.generate("slow", duration=20)
    await api.until(job_id, "processing")
    await worker.vanish()
    assert await other.delete(job_id) == 200
    await until_queue(js, messages=0, last=1)
    assert (await api.status(job_id))["status"] == "cancelled"


async def test_a_foreign_message_is_logged_with_its_reason(system: System, caplog: pytest.LogCaptureFixture) -> None:
    api, _ = await system.gateway(), await system.worker()
    js = (await system.nats()).jetstream()
    await js.publish("music.jobs.starter.normal", NOT_A_JOB)
    await until_logged(caplog, "dead letter", "not a job: Object missing required field")
    await api.until(await api.generate(duration=0.5), "completed")
    await until_queue(js, messages=0, last=2)
    assert not api.services.dead_letters._pending


async def test_a_job_whose_message_is_refused_fails_with_the_reason(system: System) -> None:
    """As by a worker that is older than the gateway: one more message would be refused as well."""
    api = await system.gateway()
    js = (await system.nats()).jetstream()
    job_id = await api.generate(duration=0.5)
    await js.purge_stream(subjects.JOBS_STREAM)
    await js.publish("music.jobs.starter.normal", NOT_A_JOB, headers={subjects.MSG_ID: f"{job_id}.1.1"})
    await system.worker()
    status = await api.until(job_id, "failed")
    assert "A worker refused this job (not a job: Object missing required field" in status["error_message"]
    await until_queue(js, messages=0, last=2)


async def test_refusing_one_message_spares_a_job_that_has_another(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    api, _ = await system.gateway(), await system.worker()
    js = (await system.nats()).jetstream()
    job_id = await api.generate(model="large")
    await js.publish("music.jobs.starter.normal", NOT_A_JOB, headers={subjects.MSG_ID: f"{job_id}.1.1"})
    await until_logged(caplog, "dead letter of a stalled job", job_id)
    await until_settled(api)
    await until_queue(js, messages=1, last=2)
    assert (await api.status(job_id))["status"] == "queued"


async def test_a_damaged_advisory_is_logged_and_ignored(system: System, caplog: pytest.LogCaptureFixture) -> None:
    api, client = await system.gateway(), await system.nats()
    for pattern in subjects.DEAD_LETTERS:
        await client.publish(pattern.replace("*", "worker-starter"), b'{"type": 7}')
        await until_logged(caplog, "not an advisory", pattern[:-1])
    await _refuse_something(system, caplog)
    assert not api.services.dead_letters._pending


async def test_dead_letters_are_handled_after_a_broker_restart(
    isolated: System, nats_process: tuple[Server, Any], caplog: pytest.LogCaptureFixture
) -> None:
    api, (server, _) = await isolated.gateway(), nats_process
    server.kill()
    await server.start_again()
    await api.until_ready()
    await _refuse_something(isolated, caplog)


async def _refuse_something(system: System, caplog: pytest.LogCaptureFixture) -> None:
    """A worker terminates a foreign message, and a gateway gets the advisory."""
    await system.worker()
    await (await system.nats()).jetstream().publish("music.jobs.starter.normal", NOT_A_JOB)
    await until_logged(caplog, "dead letter", "not a job")
