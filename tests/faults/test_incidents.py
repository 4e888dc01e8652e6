"""Incidents of docs/operations.md: what the metrics of the dashboard show, and that what it says to type helps."""

import asyncio
import os
import re
import sys

from tests.conftest import ROOT
from tests.documents import blocks
from tests.faults.client import Client
from tests.faults.deployment import Deployment
from tests.faults.services import metric
from tests.integration.system import eventually

OPERATIONS = ROOT / "docs" / "operations.md"
JOB_IN_EXAMPLES = "gen_abc123456789"


async def run_block(deployment: Deployment, client: Client, containing: str, job_id: str = "") -> str:
    """Run a block of the document as it stands, on this deployment and job; returns what it prints."""
    (text,) = (block.text for block in blocks(OPERATIONS) if containing in block.text)
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "MUSICGEN_URL": client.url,
        "NATS_URL": deployment.environment("operator")["NATS_URL"],
    }
    command = f"{sys.executable} -m deploy.cli.main"
    script = re.sub(r"(^|\s)musicgen ", rf"\1{command} ", text.replace(JOB_IN_EXAMPLES, job_id), flags=re.MULTILINE)
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script, env=environment, stdout=-1, stderr=-2
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def test_a_dead_gpu_worker_leaves_its_job_to_the_next_one(deployment: Deployment) -> None:
    (client, gateway), worker = await asyncio.gather(deployment.gateway(), deployment.worker())
    job_id = await client.submit("slow", 3.0)
    await client.until(job_id, "processing")
    worker.kill()

    async def is_missing() -> bool:
        return await metric(gateway, "musicgen_workers", state="ready") is None

    await eventually(is_missing, "the model is missing from the ready workers")
    waiting = await client.submit()
    assert await metric(gateway, "musicgen_worker_slots") is None

    # A new process whose driver is broken: its engine has no model, and it says why.
    broken = deployment.launch_worker(MUSICGEN_ENGINE="tests.engines:missing")

    async def reason() -> str | None:
        async with client.http.get(f"{client.url}/health") as got:
            return next((text for each in (await got.json())["workers"] if (text := each["remedy"])), None)

    assert "Check the network." in await eventually(reason, "the worker tells the remedy")
    assert await metric(broken, "musicgen_engine_up") == 0
    assert (await metric(gateway, "musicgen_queued_jobs") or 0) > 0

    mended = await deployment.worker()
    assert await client.terminal_states([job_id, waiting]) == ["completed"] * 2
    assert (await metric(mended, "musicgen_jobs_redelivered_total") or 0) >= 1
    assert (await deployment.check()).completed == 2


async def test_a_poison_prompt_fails_alone_and_the_commands_show_it(deployment: Deployment) -> None:
    (client, _), worker = await asyncio.gather(deployment.gateway(), deployment.worker())
    beside = await client.submit("slow", 2.0)
    await client.until(beside, "processing")
    poison = await client.submit("poison", 0.5)
    assert await client.terminal_states([poison, beside]) == ["failed", "completed"]
    assert (await metric(worker, "musicgen_engine_deaths_total") or 0) >= 3
    assert await metric(worker, "musicgen_jobs_total", outcome="failed", reason="attempts") == 1
    said = await run_block(deployment, client, "musicgen admin fail", poison)
    assert f"{poison}\tfailed" in said
    assert '"attempts": 3' in said
    assert f"{poison} had already failed" in said
    assert (await deployment.check()).failed == 1


async def test_an_emptied_queue_fills_again_unless_its_jobs_are_cancelled(deployment: Deployment) -> None:
    client, _ = await deployment.gateway()
    jobs = [await client.submit() for _ in range(3)]
    js = (await deployment.nats()).jetstream()
    await js.purge_stream("MUSIC_JOBS")

    async def queued() -> bool:
        return (await js.stream_info("MUSIC_JOBS")).state.messages == 3

    await eventually(queued, "gateways queue the jobs again")
    await run_block(deployment, client, "xargs")
    assert await client.terminal_states(jobs) == ["cancelled"] * 3
    await deployment.worker()  # removes the messages
    assert (await deployment.check()).cancelled == 3
