"""The examples of README and API guide run as they stand."""

import os
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.documents import EXECUTED, Block, blocks
from tests.e2e.stack import Up

EXPECTED = {
    "README.md": ("completed 1.0",),
    "api.md": ("206", "at 120 BPM", "Job cancelled successfully", "Must be at most 120 seconds", "completed 1.0"),
}


def as_bash(block: Block, url: str) -> str:
    text = block.text.replace("http://127.0.0.1:8000", url).replace(
        "uv run musicgen", f"{sys.executable} -m deploy.cli.main"
    )
    return f"JOB=$JOB {sys.executable} - <<'PYTHON'\n{text}PYTHON" if block.language == "python" else text


@pytest.mark.e2e
def test_every_example_runs_on_the_starter_model(up: Callable[..., Up], tmp_path: Path) -> None:
    stack = up(engine="batching").start()
    for document in EXECUTED:
        examples = [as_bash(block, stack.url) for block in blocks(document) if block.is_program and not block.mark]
        assert examples, document
        run = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(examples)],
            cwd=tmp_path,
            env=os.environ | {"MUSICGEN_URL": stack.url},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert [text for text in EXPECTED[document.name] if text not in run.stdout] == []
    for name, seconds in (("first.wav", 8), ("music.wav", 4)):
        with wave.open(str(tmp_path / name)) as file:
            assert (file.getframerate(), file.getnframes()) == (32_000, seconds * 32_000)
    assert (tmp_path / "music.mid").read_bytes()[:4] == b"MThd"
    assert stack.stop() == 0
