"""`musicgen admin` on single jobs, as a process with the operator's credentials."""

import asyncio
import json
import os
import sys
from typing import Any

import pytest
from nats.js.api import ConsumerConfig

from shared import subjects
from shared.job_id import new_job_id
from shared.messages import JobStatus
from shared.topology import JOBS, consumer_config, ensure_streams
from tests.conftest import ROOT
from tests.integration.jobs import plant_finished, stored_jobs
from tests.integration.system import Api, System, eventually, running_gateway


async def admin(system: System, *arguments: str, role: str = "operator", code: int = 0) -> str:
    """Run the command, check its exit code, and return its output."""
    environment = {**os.environ, "NATS_URL": system.nats_urls[role], "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.cli.main", "admin", *arguments),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == code, (out, err)
    assert "Traceback" not in err.decode()
    return (out if code == 0 else err).decode()


async def messages(system: System) -> int:
    js = (await system.nats()).jetstream()
    return (await js.stream_info(subjects.JOBS_STREAM)).state.messages


async def terminal_events(system: System, job_id: str) -> list[str]:
    """Return the types of the job's terminal events in the stream."""
    js = (await system.nats()).jetstream()
    info = await js.stream_info(subjects.EVENTS_STREAM, subjects_filter=f"music.events.{job_id}.*")
    counts = info.state.subjects or {}
    finals = {each.value for each in JobStatus if each.is_terminal}
    return [kind for subject, count in counts.items() for kind in [subject.rsplit(".", 1)[1]] * count if kind in finals]


async def test_fail_ends_a_queued_job_and_empties_the_queue(system: System) -> None:
    api = await system.gateway()
    job_id = await api.generate()
    said = await admin(system, "fail", job_id, "--reason", "the GPU is\x1b[31m on fire")
    assert f"{job_id} is marked as failed and removed from the queue" in said
    status = await api.until(job_id, "failed")
    assert status["error_message"] == r"the GPU is\x1b[31m on fire"
    assert await messages(system) == 0
    assert "had already failed" in await admin(system, "fail", job_id, "--reason", "again")
    assert (await api.status(job_id))["error_message"] == status["error_message"]
    assert await terminal_events(system, job_id) == ["failed"]


async def test_fail_frees_the_worker_of_a_running_job(system: System) -> None:
    api = await system.gateway()
    await system.worker(MAX_CONCURRENT_JOBS="1")
    running, waiting = await api.generate("slow", 60.0), await api.generate()
    await api.until(running, "processing")
    assert "stops working on it" in await admin(system, "fail", running, "--reason", "it takes too long")
    await api.until(waiting, "completed", timeout=20)
    assert (await api.status(running))["error_message"] == "it takes too long"
    await _until_no_messages(system)
    assert await terminal_events(system, running) == ["failed"]
    assert running not in await stored_jobs(system)


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.CANCELLED])
async def test_a_finished_job_is_neither_failed_nor_requeued(system: System, status: JobStatus) -> None:
    job_id = await plant_finished(system, status=status)
    assert f"is already {status.value}" in await admin(system, "fail", job_id, "--reason", "why not", code=1)
    assert "send its recipe as a new job" in await admin(system, "requeue", job_id, code=1)
    entry = await (await system.records()).get(job_id)
    assert entry is not None
    assert entry.record.status is status


async def test_requeue_queues_a_job_without_a_message_once(system: System) -> None:
    api, js = await system.gateway(), (await system.nats()).jetstream()
    job_id = await api.generate()
    assert "is in the queue, message 1" in await admin(system, "requeue", job_id)
    await js.purge_stream(subjects.JOBS_STREAM)
    assert "is queued again" in await admin(system, "requeue", job_id)
    assert "is in the queue, message" in await admin(system, "requeue", job_id)
    assert await messages(system) == 1
    await system.worker()
    assert (await api.until(job_id, "completed"))["attempts"] == 1


async def test_requeue_replaces_a_message_without_deliveries(system: System) -> None:
    js = (await system.nats()).jetstream()
    # No gateway runs while the delivery runs out: it would queue the job again by itself.
    async with running_gateway(system.settings("gateway")) as api:
        await api.until_ready()
        job_id = await api.generate()
    wanted = consumer_config("starter")
    limited = ConsumerConfig(**{**wanted.__dict__, "max_deliver": 1, "ack_wait": 0.2})
    await js.add_consumer(subjects.JOBS_STREAM, limited)
    puller = await js.pull_subscribe_bind(subjects.consumer_name("starter"), subjects.JOBS_STREAM)
    await puller.fetch(1, timeout=5)

    async def undeliverable() -> bool:
        info = await js.consumer_info(subjects.JOBS_STREAM, subjects.consumer_name("starter"))
        return not info.num_ack_pending

    await eventually(undeliverable, "the delivery has run out")
    assert "is queued again" in await admin(system, "requeue", job_id)
    assert await messages(system) == 1
    ((message,),) = [await puller.fetch(1, timeout=5)]
    assert json.loads(message.data)["job_id"] == job_id


async def test_requeue_refuses_a_job_with_a_live_worker(system: System) -> None:
    api = await system.gateway()
    worker = await system.worker()
    job_id = await api.generate("slow", 60.0)
    await api.until(job_id, "processing")
    said = await admin(system, "requeue", job_id, code=1)
    assert f"{worker.worker.worker_id} is working on {job_id}" in said


async def test_requeue_accepts_a_job_of_a_dead_worker(system: System) -> None:
    api, js = await system.gateway(), (await system.nats()).jetstream()
    worker = await system.worker()
    job_id = await api.generate("slow", 2.0)
    await api.until(job_id, "processing")
    await worker.vanish()
    await js.purge_stream(subjects.JOBS_STREAM)
    assert "is queued again" in await admin(system, "requeue", job_id)
    await system.worker()
    await api.until(job_id, "completed")
    await _until_no_messages(system)
    assert await terminal_events(system, job_id) == ["completed"]


async def test_announce_publishes_a_missing_event_once(system: System) -> None:
    await ensure_streams((await system.nats()).jetstream())
    job_id = await plant_finished(system)
    assert await terminal_events(system, job_id) == []
    assert f"announced on music.events.{job_id}.completed" in await admin(system, "announce", job_id)
    assert "is already announced" in await admin(system, "announce", job_id)
    assert await terminal_events(system, job_id) == ["completed"]


async def test_announce_reports_an_event_rejected_as_duplicate(system: System) -> None:
    js = (await system.nats()).jetstream()
    await ensure_streams(js)
    job_id = await plant_finished(system)
    await admin(system, "announce", job_id)
    await js.purge_stream(subjects.EVENTS_STREAM)
    assert "as a duplicate" in await admin(system, "announce", job_id, code=1)


async def test_lost_audio_answers_410_with_its_recipe(system: System) -> None:
    api = await system.gateway()
    await system.worker()
    job_id = await api.generate(seed=3)
    await api.until(job_id, "completed")
    await system.storage().remove_job(job_id)
    assert "is marked as lost" in await admin(system, "lost", job_id)
    recipe = await _recipe_of_410(api, job_id)
    assert "is already marked as lost" in await admin(system, "lost", job_id)
    again = await api.generate(**recipe)
    assert not (await api.until(again, "completed")).get("cached")
    assert (await api.download(again))[:4] == b"RIFF"


async def test_shared_audio_is_marked_lost_at_the_job_that_owns_it(system: System) -> None:
    api = await system.gateway()
    await system.worker()
    first = await api.generate(seed=4)
    await api.until(first, "completed")
    second = await api.generate(seed=4)
    assert (await api.until(second, "completed"))["cached"]
    assert f"shares the audio of {first}" in await admin(system, "lost", second, code=1)
    await admin(system, "lost", first)
    await _recipe_of_410(api, second)


async def test_lost_refuses_a_job_without_audio(system: System) -> None:
    api = await system.gateway()
    job_id = await api.generate()
    assert "is queued and has no audio" in await admin(system, "lost", job_id, code=1)


async def test_show_prints_the_record_its_message_and_events(system: System) -> None:
    api = await system.gateway()
    job_id = await api.generate("a [/intro] tone")
    shown: dict[str, Any] = json.loads(await admin(system, "show", job_id))
    assert shown["message"] == 1
    assert shown["record"]["recipe"]["prompt"] == "a [/intro] tone"
    assert [event["type"] for event in shown["events"]] == ["queued"]
    assert shown["events"][0]["seq"] == shown["revision"]


@pytest.mark.parametrize("action", ["show", "requeue", "announce", "lost"])
async def test_an_unknown_job_is_one_sentence(system: System, action: str) -> None:
    await ensure_streams((await system.nats()).jetstream())
    assert "There is no record of" in await admin(system, action, new_job_id(), code=1)
    assert "is not a job id" in await admin(system, action, "gen_*", code=1)


async def test_missing_records_and_permissions_are_one_sentence_each(system: System) -> None:
    said = await admin(system, "show", new_job_id(), code=1)
    assert said == "musicgen admin: This NATS has no bucket music_jobs. Correct NATS_URL.\n"
    js = (await system.nats()).jetstream()
    assert (await js.account_info()).streams == 0
    await ensure_streams(js)
    assert JOBS.name in await _streams(system)
    said = await admin(system, "show", new_job_id(), role="observer", code=1)
    assert "Use the operator's" in said
    assert said.count("\n") == 1


async def _streams(system: System) -> list[str | None]:
    return [info.config.name for info in await (await system.nats()).jetstream().streams_info()]


async def _until_no_messages(system: System) -> None:
    async def none() -> bool:
        return await messages(system) == 0

    await eventually(none, "the queue is empty")


async def _recipe_of_410(api: Api, job_id: str) -> dict[str, Any]:
    async def gone() -> dict[str, Any] | None:
        async with api.http.get(f"/api/v1/download/{job_id}", allow_redirects=False) as response:
            body: dict[str, Any] = await response.json(content_type=None)
            return body if response.status == 410 else None

    recipe: dict[str, Any] = (await eventually(gone, "the download answers 410"))["recipe"]
    return recipe
