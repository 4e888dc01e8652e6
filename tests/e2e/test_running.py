"""What a running `musicgen up` prints, refuses and serves."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import soundfile

from deploy.stack.ports import free_ports
from tests.e2e.stack import Up, musicgen

Start = Callable[..., Up]

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One run shared by tests that do not change it, because starting and stopping take five seconds."""
    stack = Up(tmp_path_factory.mktemp("running") / "data", MUSICGEN_ENGINE="tests.engines:load")
    try:
        yield stack.start()
        assert stack.stop() == 0
    finally:
        stack.close()


def test_secrets_are_only_in_one_private_file(running: Up) -> None:
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


def test_a_second_up_on_the_same_data_folder_is_refused(running: Up) -> None:
    second = musicgen("up", "--data-dir", str(running.data_dir))
    assert second.returncode == 1
    assert f"already running on {running.data_dir} at {running.url}" in second.stderr


def test_a_taken_port_is_refused_if_given_and_replaced_if_default(running: Up, tmp_path: Path) -> None:
    named = musicgen("up", "--data-dir", str(tmp_path / "other"), "--port", str(running.port), "--no-worker")
    assert named.returncode == 1
    assert f"Port {running.port} is taken" in named.stderr
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli.main", "up", "--data-dir", str(tmp_path / "third"), "--no-worker"],
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
    assert soundfile.info(file).frames == 1.5 * 32_000
    refused = musicgen("generate", "tone", "--duration", "9999", "--url", running.url)
    assert refused.returncode == 1
    assert "--duration: Must be at most 120 seconds" in refused.stderr
    failed = musicgen("generate", "fail", "--url", running.url, "-o", str(tmp_path / "none.wav"))
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


def test_configured_servers_replace_the_embedded_ones(running: Up, up: Start) -> None:
    environment = {name: value for name, value in running.environment().items() if name.startswith(("NATS_", "S3_"))}
    guest = up("--no-worker", **environment).start()
    assert {each["role"] for each in guest.run_file()} == {"gateway"}
    assert guest.stop() == 0


def test_client_commands_need_an_api_key_and_workers_get_none(running: Up, up: Start, tmp_path: Path) -> None:
    key, file = "k" * 32, tmp_path / "out.wav"
    environment = {name: value for name, value in running.environment().items() if name.startswith(("NATS_", "S3_"))}
    guest = up(API_KEYS=f"daw:{key}", **environment).start()
    assert "Authorization: Bearer KEY" in guest.output
    assert key not in guest.output
    arguments = ("generate", "tone", "--duration", "0.5", "--url", guest.url, "-o", str(file))
    refused = musicgen(*arguments)
    assert refused.returncode == 1
    assert "set MUSICGEN_API_KEY" in refused.stderr
    made = musicgen(*arguments, environment={"MUSICGEN_API_KEY": key})
    assert made.returncode == 0, made.stderr
    assert soundfile.info(file).frames == 16_000
    holders = {role for role in ("gateway", "worker") if key in str(psutil.Process(guest.pid(role)).environ())}
    assert holders == {"gateway"}
    assert guest.stop() == 0
