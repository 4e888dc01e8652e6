"""`musicgen up` from start to stop, through crashes, signals and restarts."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import nats
import psutil
import pytest

from deploy.stack.credentials import load_credentials
from shared.lifecycle import ONE_SIGNAL
from shared.settings import load_settings
from tests.e2e.stack import Up, musicgen, s3_client
from tests.integration.system import eventually

Start = Callable[..., Up]

pytestmark = pytest.mark.e2e


async def post(up: Up, prompt: str, duration: float) -> str:
    body = {"prompt": prompt, "duration": duration}
    async with aiohttp.ClientSession(up.url) as http, http.post("/api/v1/generate", json=body) as response:
        assert response.status == 200
        return str((await response.json())["job_id"])


async def until(up: Up, job_id: str, *statuses: str, timeout: float = 60) -> dict[str, object]:
    async with aiohttp.ClientSession(up.url) as http:

        async def reached() -> dict[str, object] | None:
            async with http.get(f"/api/v1/status/{job_id}") as response:
                status: dict[str, object] = await response.json()
                return status if status.get("status") in statuses else None

        found: dict[str, object] = await eventually(reached, f"{job_id} gets {statuses}", timeout)
        return found


def test_up_prints_its_urls_and_leaves_no_process_behind(up: Start) -> None:
    stack = up().start()
    processes = {each["role"]: each for each in stack.run_file()}
    assert set(processes) == {"nats", "s3", "worker", "gateway"}
    assert processes["gateway"]["urls"] == [stack.url]
    assert all(psutil.pid_exists(each["pid"]) for each in processes.values())
    assert f"{stack.url}/api/v1/generate" in stack.output
    assert stack.stop() == 0
    assert stack.survivors() == []
    assert not (stack.data_dir / "run.json").exists()
    ends = re.findall(r"(stopped|killed) (\S+)", stack.output)
    assert [name for _, name in ends] == ["gateway", "worker-1", "s3", "nats"]
    assert {name for how, name in ends if how == "killed"} <= {"s3"}


@pytest.mark.parametrize("role", ["worker", "gateway", "nats", "s3"])
async def test_a_dead_process_is_restarted_and_jobs_continue(up: Start, role: str) -> None:
    stack = up().start()
    job_id = await post(stack, "slow", 2.5)
    await until(stack, job_id, "processing")
    old = stack.pid(role)
    os.kill(old, signal.SIGKILL)
    stack.wait_for(f"! {role}-1 ended (signal 9)" if role == "worker" else f"! {role} ended (signal 9)")
    stack.wait_for(f"✓ {role}-1 is back" if role == "worker" else f"✓ {role} is back")
    assert stack.pid(role) != old
    status = await until(stack, job_id, "completed", timeout=90)
    assert status["attempts"] == (2 if role == "worker" else 1)
    assert stack.stop() == 0
    assert stack.survivors() == []


async def test_a_stop_during_a_job_loses_nothing(up: Start) -> None:
    stack = up().start()
    running, waiting = await post(stack, "slow", 4), await post(stack, "tone", 1)
    await until(stack, running, "processing")
    began = time.monotonic()
    assert stack.stop() == 0
    assert time.monotonic() - began < 20
    assert stack.survivors() == []
    again = up().start()
    for job_id in (running, waiting):
        status = await until(again, job_id, "completed")
        assert status["attempts"] == 1
    assert again.stop() == 0


async def test_a_second_ctrl_c_does_not_wait_for_the_job(up: Start) -> None:
    stack = up(SHUTDOWN_GRACE="300").start()
    job_id = await post(stack, "deaf", 100)
    await until(stack, job_id, "processing")
    stack.remember()
    stack.signal(signal.SIGINT)
    stack.wait_for("Stopping")
    # Two signals at the same moment count as one, so wait before the second.
    time.sleep(2 * ONE_SIGNAL)
    stack.signal(signal.SIGINT)
    assert stack.wait() == 0
    assert stack.survivors() == []


async def test_kill_9_of_up_leaves_no_process_and_loses_nothing(up: Start) -> None:
    stack = up().start()
    job_id = await post(stack, "slow", 2)
    await until(stack, job_id, "processing")
    stack.remember()
    stack.signal(signal.SIGKILL)
    stack.wait()
    assert stack.survivors(timeout=30) == []
    again = up().start()
    await until(again, job_id, "completed", timeout=90)
    assert again.stop() == 0


def test_an_invalid_setting_stops_up_and_is_named(up: Start, tmp_path: Path) -> None:
    refused = musicgen("up", "--data-dir", str(tmp_path / "data"), environment={"MAX_DURATION": "long"})
    assert refused.returncode == 1
    assert "MAX_DURATION must be seconds from 0.5 to 600, not 'long'." in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_unavailable_model_is_reported_with_a_remedy(up: Start) -> None:
    stack = up(engine="tests.engines:missing").start()
    assert "The hub is not reachable." in stack.output
    assert "Check the network." in stack.output
    assert stack.stop() == 0


def test_ctrl_c_during_the_start_stops_everything(up: Start) -> None:
    stack = up().start(until="✓ s3")
    assert stack.stop() == 0
    assert stack.survivors() == []


async def test_ten_jobs_with_cancels_leave_nothing_behind(up: Start) -> None:
    stack = up(MAX_CONCURRENT_JOBS="2").start()
    durations = [0.5, 3, 1, 0.5, 2, 4, 0.5, 1, 6, 0.7]
    jobs = [await post(stack, "slow" if number % 2 else "tone", each) for number, each in enumerate(durations)]
    async with aiohttp.ClientSession(stack.url) as http:
        for job_id in jobs[1::3]:
            async with http.delete(f"/api/v1/jobs/{job_id}") as response:
                assert response.status in {200, 409}
    ended = {job_id: (await until(stack, job_id, "completed", "cancelled"))["status"] for job_id in jobs}
    assert set(ended.values()) == {"completed", "cancelled"}
    environment = stack.environment()
    await _nothing_is_left(environment, ended)
    assert stack.stop() == 0
    assert stack.survivors() == []


async def _nothing_is_left(environment: dict[str, str], ended: dict[str, object]) -> None:
    client = await nats.connect(environment["NATS_URL"])
    js = client.jetstream()

    async def empty() -> bool:
        return (await js.stream_info("MUSIC_JOBS")).state.messages == 0

    await eventually(empty, "the queue is empty")
    assert sorted(await (await js.key_value("music_jobs")).keys()) == sorted(ended)
    await client.close()
    objects = s3_client(load_settings(environment)).list_objects(environment["S3_BUCKET"], recursive=True)
    names = ("audio.wav", "audio.peaks.json", "audio.overview.json", "audio.svg")
    assert {item.object_name for item in objects} == {
        f"jobs/{job_id}/{name}" for job_id, status in ended.items() if status == "completed" for name in names
    }


def test_env_reports_that_no_up_runs(tmp_path: Path) -> None:
    shown = musicgen("env", "--data-dir", str(tmp_path))
    assert shown.returncode == 1
    assert "No `musicgen up` runs on" in shown.stderr


async def test_the_gateway_listens_on_the_ipv6_loopback(up: Start) -> None:
    stack = up("--no-worker", GATEWAY_HOST="::1").start()
    url = f"http://[::1]:{stack.port}"
    (gateway,) = [each for each in stack.run_file() if each["role"] == "gateway"]
    assert gateway["urls"] == [url]
    listed = musicgen("jobs", "--url", url)
    assert listed.returncode == 0, listed.stderr
    async with aiohttp.ClientSession() as http, http.get(f"{url}/api/v1/jobs") as response:
        assert response.status == 200
    assert stack.stop() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_each_process_has_its_own_secrets_and_no_others(up: Start) -> None:
    """Servers get their secrets by file or variable, never on the command line."""
    stack = up(API_KEYS=f"daw:{'k' * 40}", MUSICGEN_API_KEY="m" * 40, SMTP_PASSWORD="p" * 40).start()
    credentials = load_credentials(stack.data_dir)
    secrets = {f"nats {role}": password for role, password in credentials.nats_passwords.items()}
    secrets |= {f"s3 {role}": keys.secret_key for role, keys in credentials.s3_keys.items()}
    secrets |= {"api": "k" * 40, "client": "m" * 40, "foreign": "p" * 40}

    def held(pid: int, file: str = "environ") -> set[str]:
        text = Path(f"/proc/{pid}/{file}").read_text()
        return {name for name, secret in secrets.items() if secret in text}

    (engine,) = psutil.Process(stack.pid("worker")).children()
    assert held(stack.pid("nats")) == {f"nats {role}" for role in ("gateway", "worker", "operator", "observer")}
    assert held(stack.pid("s3")) == set()
    assert held(stack.pid("worker")) == {"nats worker", "s3 worker", "foreign"}
    assert held(stack.pid("gateway")) - {"client"} == {"nats gateway", "s3 gateway", "api", "foreign"}
    assert held(engine.pid) == set()
    pids = [engine.pid, *(each["pid"] for each in stack.run_file())]
    assert [held(pid, "cmdline") for pid in pids] == [set()] * 5
    assert stack.stop() == 0
