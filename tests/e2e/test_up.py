"""One command from nothing to a URL and back, whatever happens in between."""

import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import aiohttp
import nats
import psutil
import pytest
import urllib3
from minio import Minio

from deploy.stack.ports import free_ports
from shared.lifecycle import ONE_SIGNAL
from shared.settings import Settings, load_settings
from tests.e2e.stack import Up, musicgen
from tests.integration.system import eventually
from tests.servers import embedded_s3

Start = Callable[..., Up]

pytestmark = pytest.mark.e2e


async def post(up: Up, prompt: str, duration: float) -> str:
    body = {"prompt": prompt, "duration": duration}
    async with aiohttp.ClientSession(up.url) as http, http.post("/api/v1/generate", json=body) as response:
        assert response.status == 200
        return str((await response.json())["job_id"])


async def until(up: Up, job_id: str, *statuses: str, patience: float = 60) -> dict[str, object]:
    async with aiohttp.ClientSession(up.url) as http:

        async def reached() -> dict[str, object] | None:
            async with http.get(f"/api/v1/status/{job_id}") as response:
                status: dict[str, object] = await response.json()
                return status if status.get("status") in statuses else None

        found: dict[str, object] = await eventually(reached, f"{job_id} gets {statuses}", patience)
        return found


def test_it_tells_where_it_is_and_leaves_nothing_behind(up: Start) -> None:
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
async def test_a_child_that_dies_is_restarted_and_the_jobs_go_on(up: Start, role: str) -> None:
    stack = up().start()
    job_id = await post(stack, "slow", 2.5)
    await until(stack, job_id, "processing")
    old = stack.pid(role)
    os.kill(old, signal.SIGKILL)
    stack.wait_for(f"! {role}-1 ended (signal 9)" if role == "worker" else f"! {role} ended (signal 9)")
    stack.wait_for(f"✓ {role}-1 is back" if role == "worker" else f"✓ {role} is back")
    assert stack.pid(role) != old
    status = await until(stack, job_id, "completed", patience=90)
    assert status["attempts"] == (2 if role == "worker" else 1)
    assert stack.stop() == 0
    assert stack.survivors() == []


async def test_a_stop_in_the_middle_of_a_job_loses_nothing(up: Start) -> None:
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
    # Two signals at once are one wish; a person who presses again is slower.
    time.sleep(2 * ONE_SIGNAL)
    stack.signal(signal.SIGINT)
    assert stack.wait() == 0
    assert stack.survivors() == []


async def test_even_kill_9_of_up_leaves_no_process_and_loses_nothing(up: Start) -> None:
    stack = up().start()
    job_id = await post(stack, "slow", 2)
    await until(stack, job_id, "processing")
    stack.remember()
    stack.signal(signal.SIGKILL)
    stack.wait()
    assert stack.survivors(patience=30) == []
    again = up().start()
    await until(again, job_id, "completed", patience=90)
    assert again.stop() == 0


def test_a_wrong_setting_stops_the_start_with_its_name(up: Start, tmp_path: Path) -> None:
    refused = musicgen("up", "--data-dir", str(tmp_path / "data"), environment={"MAX_DURATION": "long"})
    assert refused.returncode == 1
    assert "MAX_DURATION must be seconds from 0.5 to 600, not 'long'." in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_model_that_cannot_be_had_is_told_with_the_remedy(up: Start) -> None:
    stack = up(engine="tests.engines:missing").start()
    assert "The hub is not reachable." in stack.output
    assert "Check the network." in stack.output
    assert stack.stop() == 0


def test_ctrl_c_during_the_start_stops_all(up: Start) -> None:
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
    environment = _environment(stack)
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
    objects = _s3(load_settings(environment)).list_objects(environment["S3_BUCKET"], recursive=True)
    assert {item.object_name for item in objects} == {
        f"jobs/{job_id}/audio.wav" for job_id, status in ended.items() if status == "completed"
    }


def _environment(stack: Up) -> dict[str, str]:
    """What `musicgen env` exports, as a shell understands it."""
    shown = musicgen("env", "--data-dir", str(stack.data_dir))
    assert shown.returncode == 0, shown.stderr
    script = f"set -a; {shown.stdout}\nenv -0"
    output = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in output.split("\0") if "=" in line)


def test_env_without_a_running_up_says_so(tmp_path: Path) -> None:
    shown = musicgen("env", "--data-dir", str(tmp_path))
    assert shown.returncode == 1
    assert "No `musicgen up` runs on" in shown.stderr


def test_s3_stops_soon_and_keeps_what_it_acknowledged_however_it_ends(tmp_path: Path) -> None:
    server, roles = embedded_s3(tmp_path)
    settings = load_settings(roles["worker"])
    stored: dict[str, bytes] = {}
    for end in (server.stop, server.kill):
        server.start()
        with ThreadPoolExecutor() as pool:
            for _ in range(4):
                pool.submit(_store_until_it_ends, settings, stored)
            enough, deadline = len(stored) + 4, time.monotonic() + 60
            while len(stored) < enough:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            began = time.monotonic()
            end()
            assert time.monotonic() - began < 5
    server.start()
    lost = [name for name, data in stored.items() if _s3(settings).get_object(settings.s3_bucket, name).data != data]
    server.stop()
    assert stored
    assert not lost


def _store_until_it_ends(settings: Settings, stored: dict[str, bytes]) -> None:
    client = _s3(settings)
    # Several chunks each: SeaweedFS opens connections to itself then, and waits for those at its end.
    while data := os.urandom(6_000_000):
        name = uuid4().hex
        client.put_object(settings.s3_bucket, name, io.BytesIO(data), len(data))
        stored[name] = data


def _s3(settings: Settings) -> Minio:
    """A client that gives up at the first error."""
    return Minio(
        settings.s3_endpoint.removeprefix("http://"),
        settings.s3_access_key,
        settings.s3_secret_key,
        secure=False,
        http_client=urllib3.PoolManager(retries=False, timeout=10),
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One run for all tests that leave it as it is: a start and a stop take five seconds."""
    stack = Up(tmp_path_factory.mktemp("running") / "data", MUSICGEN_ENGINE="tests.engines:load")
    try:
        yield stack.start()
        assert stack.stop() == 0
    finally:
        stack.close()


def test_secrets_are_in_one_private_file_only(running: Up) -> None:
    file = running.data_dir / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    credentials = json.loads(file.read_text())
    secrets = [*credentials["nats_passwords"].values()]
    secrets += [key for pair in credentials["s3_keys"].values() for key in pair.values()]
    assert len(secrets) == 10
    visible = [running.output, (running.data_dir / "run.json").read_text()]
    visible += [log.read_text(errors="replace") for log in (running.data_dir / "logs").iterdir()]
    visible += [" ".join(each.cmdline()) for each in running.remember()]
    assert not [secret for secret in secrets for text in visible if secret in text]


def test_everything_listens_on_loopback_only(running: Up) -> None:
    for process in running.remember():
        for connection in process.net_connections(kind="inet"):
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip == "127.0.0.1", process.cmdline()


def test_a_second_start_on_the_same_data_is_refused(running: Up) -> None:
    second = musicgen("up", "--data-dir", str(running.data_dir))
    assert second.returncode == 1
    assert f"already running on {running.data_dir} at {running.url}" in second.stderr


def test_a_taken_port_is_refused_when_named_and_replaced_when_default(running: Up, tmp_path: Path) -> None:
    named = musicgen("up", "--data-dir", str(tmp_path / "other"), "--port", str(running.port), "--no-worker")
    assert named.returncode == 1
    assert f"Port {running.port} is taken" in named.stderr
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "up", "--data-dir", str(tmp_path / "third"), "--no-worker"],
        env=os.environ | {"GATEWAY_PORT": str(running.port)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("ready"):
            break
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert any(f"port {running.port} is taken: gateway uses" in line for line in lines), lines
    assert process.returncode == 0


def test_the_client_commands_generate_list_and_cancel(running: Up, tmp_path: Path) -> None:
    file = tmp_path / "out.wav"
    made = musicgen("generate", "tone", "--duration", "1.5", "--url", running.url, "-o", str(file))
    assert made.returncode == 0, made.stderr
    assert file.stat().st_size == 44 + 2 * round(1.5 * 32_000)
    refused = musicgen("generate", "tone", "--duration", "9999", "--url", running.url)
    assert refused.returncode == 1
    assert "duration: At most 120 seconds" in refused.stderr
    failed = musicgen("generate", "fail", "--url", running.url, "-o", str(file))
    assert failed.returncode == 1
    assert "no such chord" in failed.stderr
    listed = musicgen("jobs", "--url", running.url)
    assert "completed" in listed.stdout
    (job_id, *_) = re.findall(r"gen_[a-z0-9]{12}", listed.stdout)
    cancelled = musicgen("cancel", job_id, "--url", running.url)
    assert cancelled.returncode == 1
    assert "nothing to cancel" in cancelled.stderr
    (free,) = free_ports(1)
    away = musicgen("jobs", "--url", f"http://127.0.0.1:{free}")
    assert away.returncode == 1
    assert "No gateway answers" in away.stderr


def test_own_servers_are_used_instead_of_embedded_ones(running: Up, up: Start) -> None:
    environment = {name: value for name, value in _environment(running).items() if name.startswith(("NATS_", "S3_"))}
    guest = up("--no-worker", **environment).start()
    assert {each["role"] for each in guest.run_file()} == {"gateway"}
    assert guest.stop() == 0


def test_with_api_keys_the_client_commands_need_one_and_workers_have_none(
    running: Up, up: Start, tmp_path: Path
) -> None:
    key, file = "k" * 32, tmp_path / "out.wav"
    environment = {name: value for name, value in _environment(running).items() if name.startswith(("NATS_", "S3_"))}
    guest = up(API_KEYS=f"daw:{key}", **environment).start()
    assert "Authorization: Bearer KEY" in guest.output
    assert key not in guest.output
    arguments = ("generate", "tone", "--duration", "0.5", "--url", guest.url, "-o", str(file))
    refused = musicgen(*arguments)
    assert refused.returncode == 1
    assert "set MUSICGEN_API_KEY" in refused.stderr
    made = musicgen(*arguments, environment={"MUSICGEN_API_KEY": key})
    assert made.returncode == 0, made.stderr
    assert file.stat().st_size == 44 + 2 * 16_000
    holders = {role for role in ("gateway", "worker") if key in str(psutil.Process(guest.pid(role)).environ())}
    assert holders == {"gateway"}
    assert guest.stop() == 0
