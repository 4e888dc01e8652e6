"""`run.json`, the lock of the data folder, and leftover processes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deploy.stack.data_folder import (
    RUN_FILE,
    RunningProcess,
    find_process,
    lock_data_folder,
    read_run_file,
    stop_leftovers,
    write_run_file,
)
from shared.errors import MusicgenError

ROOT = Path(__file__).parents[4]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


DAMAGED = [
    b'[{"role": "\xfc", "pid": 1, "urls": []}]',
    b'[{"role": "x", "pid": -1, "urls": []}]',
    b'[{"role": "x", "pid": 99999999999999999999, "urls": []}]',
    b"[" * 100_000,
]


def line(pid: int, started: float | None = None, role: str = "worker") -> RunningProcess:
    born = psutil.Process(pid).create_time() if started is None else started
    return RunningProcess(role=role, pid=pid, urls=["http://127.0.0.1:8000"], started=born)


def test_the_run_file_round_trips_in_its_documented_format(tmp_path: Path) -> None:
    write_run_file(tmp_path, [line(os.getpid())])
    assert read_run_file(tmp_path) == [line(os.getpid())]
    (found,) = json.loads((tmp_path / RUN_FILE).read_text())
    assert found["role"] == "worker"
    assert found["pid"] == os.getpid()
    assert found["urls"] == ["http://127.0.0.1:8000"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.none() | st.binary(max_size=40) | st.sampled_from([b"{}", b"[1]", b'[{"role": "x"}]', *DAMAGED]))
def test_a_missing_or_damaged_run_file_lists_nothing(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / RUN_FILE).unlink(missing_ok=True)
    if content is not None:
        (tmp_path / RUN_FILE).write_bytes(content)
    assert read_run_file(tmp_path) == []


def test_a_running_process_is_found() -> None:
    found = find_process(line(os.getpid()))
    assert found is not None
    assert found.pid == os.getpid()


def test_a_reused_pid_is_not_found() -> None:
    assert find_process(line(os.getpid(), started=psutil.Process().create_time() - 60)) is None
    assert find_process(line(os.getpid(), started=0.0)) is None


def test_an_ended_process_is_not_found(sleeper: subprocess.Popen[bytes]) -> None:
    stale = line(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    assert find_process(stale) is None


def test_leftover_processes_are_stopped_and_reported_by_role(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    write_run_file(tmp_path, [line(sleeper.pid, role="nats")])
    assert stop_leftovers(tmp_path) == ["nats"]
    assert not psutil.pid_exists(sleeper.pid)
    assert not (tmp_path / RUN_FILE).exists()


def test_another_process_with_a_leftover_pid_is_left_alone(tmp_path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    write_run_file(tmp_path, [line(sleeper.pid, started=psutil.Process(sleeper.pid).create_time() - 60)])
    assert stop_leftovers(tmp_path) == []
    assert sleeper.poll() is None
    assert not (tmp_path / RUN_FILE).exists()


def test_without_leftovers_nothing_happens(tmp_path: Path) -> None:
    assert stop_leftovers(tmp_path) == []


def test_the_data_folder_is_private_to_its_owner(tmp_path: Path) -> None:
    with lock_data_folder(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_second_up_is_refused_with_the_url_of_the_first(tmp_path: Path) -> None:
    with lock_data_folder(tmp_path):
        write_run_file(tmp_path, [line(os.getpid(), role="gateway")])
        with pytest.raises(MusicgenError, match="already running") as caught, lock_data_folder(tmp_path):
            pass
    assert "http://127.0.0.1:8000" in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    with lock_data_folder(tmp_path):
        pass


def test_the_lock_holds_across_processes_and_ends_with_its_owner(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom deploy.stack.data_folder import lock_data_folder\n"
        "with lock_data_folder(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(MusicgenError, match="already running"), lock_data_folder(tmp_path):
                pass
        finally:
            holder.kill()
    with lock_data_folder(tmp_path):
        pass
