"""An engine process that is frozen while its worker runs."""

import signal

import psutil

from tests.faults.deployment import Deployment


async def test_a_hung_engine_is_restarted_and_its_jobs_complete(deployment: Deployment) -> None:
    (client, _), worker = await deployment.gateway(), await deployment.worker(MUSICGEN_ENGINE_PATIENCE="1")
    jobs = [await client.submit("slow", 2.0, seed=number) for number in range(2)]
    for job_id in jobs:
        await client.until(job_id, "processing")
    (engine,) = psutil.Process(worker.pid).children()
    engine.send_signal(signal.SIGSTOP)
    waiting = await client.submit()
    await client.until_message(jobs[0], "The engine hung")
    assert await client.terminal_states([*jobs, waiting]) == ["completed"] * 3
    assert not engine.is_running()
    # Either job may have caused the hang, so neither uses up an attempt.
    assert [(await client.until(job_id))["attempts"] for job_id in jobs] == [1, 1]
    await deployment.check()
