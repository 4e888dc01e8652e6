"""Traces of processes that die, and collectors that do not answer."""

import asyncio
import time

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from deploy.stack.ports import LOOPBACK
from tests.collector import Collector, collecting
from tests.faults.deployment import Deployment
from tests.integration.system import eventually


def claims(collector: Collector) -> list[Span]:
    """The spans of successful claims. While the first worker may still live, there are others as well."""
    found = collector.named("musicgen-worker", "claim")
    return [span for span in found if any(each.value.string_value == "Claimed" for each in span.attributes)]


async def until_claimed(collector: Collector, number: int) -> None:
    async def arrived() -> bool:
        return len(claims(collector)) == number

    await eventually(arrived, f"{number} claims arrive")


async def test_the_claim_after_a_killed_worker_is_in_the_same_trace_and_linked_to_the_first(
    deployment: Deployment,
) -> None:
    async with collecting() as collector:
        environment = collector.environment
        (client, _), doomed = await asyncio.gather(deployment.gateway(**environment), deployment.worker(**environment))
        job_id = await client.submit("slow", 1.0)
        await until_claimed(collector, 1)
        doomed.kill()
        await deployment.worker(**environment)
        assert (await client.until(job_id))["attempts"] == 2
        await until_claimed(collector, 2)
        (request,) = collector.named("musicgen-gateway", "POST /api/v1/generate")
        (sent,) = collector.named("musicgen-gateway", "send music.jobs")
        first, second = claims(collector)
        assert sent.parent_span_id == request.span_id
        assert {first.trace_id, second.trace_id} == {request.trace_id}
        assert [(each.trace_id, each.span_id) for each in second.links] == [(first.trace_id, first.span_id)]
    await deployment.check()


async def test_a_collector_that_never_answers_delays_neither_jobs_nor_the_stop(deployment: Deployment) -> None:
    connections: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda reader, writer: connections.append(writer), LOOPBACK, 0)
    port = silent.sockets[0].getsockname()[1]
    # Two spans fill the queue: all further ones are dropped.
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{LOOPBACK}:{port}",
        "OTEL_BSP_SCHEDULE_DELAY": "10",
        "OTEL_BSP_MAX_QUEUE_SIZE": "2",
        "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1",
    }
    (client, _), worker = await asyncio.gather(deployment.gateway(**environment), deployment.worker(**environment))
    jobs = [await client.submit() for _ in range(6)]
    assert await client.terminal_states(jobs) == ["completed"] * 6
    assert connections
    began = time.monotonic()
    worker.terminate()
    assert await worker.until_ended() == 0
    # The SDK alone waits for ten seconds, the exporter's timeout. This bound is of the order of a grace period.
    assert time.monotonic() - began < 8
    silent.close()
    for each in connections:
        each.close()
    await deployment.check()
