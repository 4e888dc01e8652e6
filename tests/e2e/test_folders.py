"""`musicgen up` on data folders with special names, and on copies of data folders."""

import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
import soundfile

from tests.e2e.stack import TIMEOUT, Up, musicgen

pytestmark = pytest.mark.e2e

NAME = "a,b [bold] \"c\" 'd' $HOME #%20\\ é\n" + "x" * 94


def test_up_and_the_client_commands_accept_a_folder_of_any_name(tmp_path: Path) -> None:
    stack = Up(tmp_path / "stack" / NAME, MUSICGEN_ENGINE="tests.engines:load")
    stack.data_dir.parent.mkdir()
    folder = ["--data-dir", str(stack.data_dir)]
    try:
        stack.start()
        made = musicgen("generate", "tone", "--duration", "1", *folder, "-o", str(tmp_path / "music.wav"))
        assert made.returncode == 0, made.stderr
        assert soundfile.info(tmp_path / "music.wav").frames == 32_000
        listed = musicgen("jobs", *folder)
        assert len(listed.stdout.splitlines()) == 1
        job_id, status, *_ = listed.stdout.split("\t")
        assert status == "completed"
        assert "nothing to cancel" in musicgen("cancel", job_id, *folder).stderr
        assert "✓ workers" in musicgen("doctor", *folder).stdout
        assert stack.stop() == 0
        # `up` writes only to the data folder; the other file is its captured output.
        assert {each.name for each in tmp_path.iterdir()} == {"stack", "music.wav"}
        assert {each.name for each in (tmp_path / "stack").iterdir()} == {NAME, stack.output_file.name}
    finally:
        stack.close()


def test_doctor_reports_an_up_without_workers(tmp_path: Path) -> None:
    stack = Up(tmp_path / "data", "--no-worker")
    try:
        stack.start()
        report = musicgen("doctor", "--data-dir", str(stack.data_dir))
        assert report.returncode == 1
        assert "✗ workers" in report.stdout
        assert "no worker serves a model: jobs stay queued" in report.stdout
        assert stack.stop() == 0
    finally:
        stack.close()


def test_a_copied_data_folder_continues_where_the_original_stopped(tmp_path: Path) -> None:
    first = Up(tmp_path / "first", MUSICGEN_ENGINE="tests.engines:load", MAX_CONCURRENT_JOBS="1")
    second = Up(tmp_path / "second", MUSICGEN_ENGINE="tests.engines:load")
    try:
        first.start()
        folder = ["--data-dir", str(first.data_dir)]
        for name in ("before.wav", "same.wav"):
            made = musicgen("generate", "tone", "--duration", "1", "--seed", "7", *folder, "-o", str(tmp_path / name))
            assert made.returncode == 0, made.stderr
        finished = musicgen("jobs", *folder).stdout.split("\t")[0]
        unfinished = [_post(first, prompt, 10.0) for prompt in ("slow", "slow and queued")]
        assert first.stop() == 0
        subprocess.run(["cp", "-a", str(first.data_dir), str(second.data_dir)], check=True)
        shutil.rmtree(first.data_dir)
        second.start()
        with urllib.request.urlopen(f"{second.url}/api/v1/download/{finished}?proxy=1") as response:
            assert response.read() == (tmp_path / "before.wav").read_bytes()
        for job_id in unfinished:
            _until_completed(second, job_id)
        rows = [line.split("\t") for line in musicgen("jobs", "--data-dir", str(second.data_dir)).stdout.splitlines()]
        assert sorted(row[1] for row in rows) == ["completed"] * 4
        assert second.stop() == 0
    finally:
        first.close()
        second.close()


def test_a_data_folder_continues_with_new_credentials(tmp_path: Path) -> None:
    stack = Up(tmp_path / "data", MUSICGEN_ENGINE="tests.engines:load")
    credentials = stack.data_dir / "credentials.json"
    try:
        stack.start()
        finished = _post(stack, "tone", 0.5)
        _until_completed(stack, finished)
        waiting = _post(stack, "slow", 10.0)
        assert stack.stop() == 0
        before = credentials.read_text()
        credentials.unlink()
        stack.start()
        assert credentials.read_text() != before
        with urllib.request.urlopen(f"{stack.url}/api/v1/download/{finished}") as response:
            assert response.read(4) == b"RIFF"
        _until_completed(stack, waiting)
        assert stack.stop() == 0
    finally:
        stack.close()


def _post(stack: Up, prompt: str, duration: float) -> str:
    body = json.dumps({"prompt": prompt, "duration": duration}).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{stack.url}/api/v1/generate", body, headers)) as response:
        return str(json.load(response)["job_id"])


def _until_completed(stack: Up, job_id: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while True:
        with urllib.request.urlopen(f"{stack.url}/api/v1/status/{job_id}") as response:
            status = json.load(response)["status"]
        if status == "completed":
            return
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
