"""What Prometheus gets from a gateway and a worker; in these tests both have one registry."""

import asyncio

from prometheus_client import REGISTRY
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from shared import subjects
from shared.topology import ensure_consumer
from tests.foreign_programs import output_of
from tests.integration.system import Api, System, eventually

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACE = {"traceparent": f"00-{TRACE_ID}-00f067aa0ba902b7-01"}
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def scraped(api: Api, headers: dict[str, str] | None = None) -> str:
    async with api.http.get("/metrics", headers=headers) as response:
        assert response.status == 200
        return await response.text()


def exemplars(text: str, name: str) -> list[dict[str, str]]:
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    samples = [sample for family in families if family.name == name for sample in family.samples]
    return [sample.exemplar.labels for sample in samples if sample.exemplar]


async def test_promtool_finds_nothing_to_improve(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    await api.until(await api.generate(), "completed")
    text = await scraped(api)
    assert "musicgen_job_uploading_seconds_bucket" in text
    await asyncio.to_thread(output_of, "promtool", "check", "metrics", stdin=text)


async def test_histograms_lead_to_the_trace_and_the_job(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate(headers=TRACE)
    await api.until(job_id, "completed")

    labels = {"trace_id": TRACE_ID, "job_id": job_id}

    async def counted() -> str | None:
        text = await scraped(api, OPENMETRICS)
        return text if labels in exemplars(text, "musicgen_job_uploading_seconds") else None

    text = await eventually(counted, "the worker counts the completed job, a moment after its record")
    for phase in ("queued", "generating", "encoding"):
        assert labels in exemplars(text, f"musicgen_job_{phase}_seconds"), phase
    assert {"trace_id": TRACE_ID} in exemplars(text, "musicgen_http_request_seconds")


async def test_steps_and_stored_bytes_of_a_job_are_counted(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    steps, stored = value("musicgen_engine_steps_total"), value("musicgen_uploaded_bytes_total", model="starter")
    status = await api.until(await api.generate(), "completed")
    assert value("musicgen_engine_steps_total") > steps
    assert value("musicgen_uploaded_bytes_total", model="starter") >= stored + status["file_size"]


async def test_the_queue_is_counted_by_priority(system: System) -> None:
    api = await system.gateway()
    for priority in ("batch", "batch", "interactive"):
        await api.generate(priority=priority)

    async def counted() -> bool:
        labels = {"model": "starter", "priority": "batch"}
        return value("musicgen_priority_queued_jobs", **labels) == 2

    await eventually(counted, "the gauges are set")
    assert value("musicgen_priority_queued_jobs", model="starter", priority="interactive") == 1
    assert value("musicgen_priority_oldest_seconds", model="starter", priority="batch") > 0
    assert value("musicgen_queued_jobs", model="starter") == 3


async def test_rows_of_the_batch_and_memory_of_its_cache_are_reported(system: System) -> None:
    api, _ = await system.gateway(), await system.worker(MUSICGEN_ENGINE="batching", MAX_CONCURRENT_JOBS="1")
    assert value("musicgen_engine_cache_bytes", model="starter") > 2**20
    await api.generate(duration=60.0)

    async def has_rows(rows: float) -> bool:
        return value("musicgen_engine_rows", model="starter") == rows

    await eventually(lambda: has_rows(2), "guidance takes two rows")
    await eventually(lambda: has_rows(0), "the batch is empty", 120)


async def test_a_paused_consumer_shows_as_an_old_job_beside_free_slots(system: System) -> None:
    api, _, js = await system.gateway(), await system.worker(), (await system.nats()).jetstream()
    consumer = subjects.consumer_name("starter")
    await js.pause_consumer(subjects.JOBS_STREAM, consumer, "2100-01-01T00:00:00Z")
    job_id = await api.generate()

    async def waits_for_seconds() -> bool:
        return value("musicgen_queue_oldest_seconds", model="starter") > 1

    await eventually(waits_for_seconds, "the age of the queue is exported")
    assert value("musicgen_worker_slots", model="starter") == 2
    assert value("musicgen_worker_slots_busy", model="starter") == 0
    assert value("musicgen_component_up", component="stream") == 1
    await js.resume_consumer(subjects.JOBS_STREAM, consumer)
    await api.until(job_id, "completed")


async def test_a_job_that_another_consumer_gave_back_counts_as_redelivered(system: System) -> None:
    api, js = await system.gateway(), (await system.nats()).jetstream()
    before = value("musicgen_jobs_redelivered_total", model="starter")
    job_id = await api.generate()
    await ensure_consumer(js, "starter")
    puller = await js.pull_subscribe_bind(consumer=subjects.consumer_name("starter"), stream=subjects.JOBS_STREAM)
    (message,) = await puller.fetch(1, timeout=5)
    await message.nak()
    await system.worker()
    await api.until(job_id, "completed")
    assert value("musicgen_jobs_redelivered_total", model="starter") == before + 1
