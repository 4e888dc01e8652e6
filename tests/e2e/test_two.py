"""Two stacks at once, and frozen processes."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.stack.ports import free_ports
from tests.e2e.conftest import Start
from tests.e2e.stack import Up
from tests.e2e.test_up import post, until

pytestmark = pytest.mark.e2e


# The `musicgen` command with other default ports, because the usual ones may be taken.
PROGRAM = (
    "import sys; from deploy.cli.main import main; import deploy.stack.local_stack as stack; "
    "stack.NATS_PORT, stack.S3_PORT = {}, {}; sys.exit(main())"
)


async def test_two_stacks_started_at_once_do_not_share_a_port(tmp_path: Path) -> None:
    both = [Up(tmp_path / name, MUSICGEN_ENGINE="tests.engines:load") for name in ("one", "two")]
    nats, s3 = free_ports(2)
    try:
        for each in both:
            each.program = ["-c", PROGRAM.format(nats, s3)]
        with ThreadPoolExecutor() as pool:
            list(pool.map(Up.start, both))
        urls = [url for each in both for process in each.run_file() for url in process["urls"]]
        assert len(set(urls)) == len(urls) == 8
        jobs = [await post(each, "tone", 0.5) for each in both]
        for each, job_id in zip(both, jobs, strict=True):
            await until(each, job_id, "completed")
            assert "starts again" not in each.output
            assert each.stop() == 0
            assert each.survivors() == []
    finally:
        for each in both:
            each.close()


async def test_frozen_processes_are_restarted_and_jobs_continue(up: Start) -> None:
    stack = up().start()
    roles = ("nats", "s3", "worker", "gateway")
    before = {role: stack.pid(role) for role in roles}
    for pid in before.values():
        os.kill(pid, signal.SIGSTOP)
    for role in roles:
        stack.wait_for(f"✓ {role}-1 is back" if role == "worker" else f"✓ {role} is back")
    assert all(stack.pid(role) != pid for role, pid in before.items())
    await until(stack, await post(stack, "tone", 0.5), "completed")
    assert stack.stop() == 0
    assert stack.survivors() == []
