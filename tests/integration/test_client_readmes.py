"""The programs in clients/python/README.md run against a real gateway."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT
from tests.documents import blocks
from tests.integration.system import System

README = ROOT / "clients" / "python" / "README.md"
SCORING = {"MUSICGEN_ENGINE": "tests.engines:load_scoring"}


async def test_programs_for_python_run(system: System, tmp_path: Path) -> None:
    api, _ = await system.gateway(), await system.worker(**SCORING)
    environment = {**os.environ, "MUSICGEN_URL": api.url, "PYTHONPATH": str(README.parent)}
    printed = []
    for block in blocks(README):
        assert block.language == "python"
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-W", "error", "-c", block.text],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout.splitlines())
    first, second = printed
    assert first[-2].startswith("100% ")
    assert "124.0 A minor" in first[-1]
    assert (tmp_path / "house.wav").read_bytes().startswith(b"RIFF")
    assert second[0].startswith("0 32000 ")
    assert "['bass.wav']" in second[-2]
    assert "duration" in second[-1]
