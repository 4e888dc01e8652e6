"""Programs that we did not write and that read what we write. CI installs them; see CONTRIBUTING.md."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_PACKAGES = {
    "ffmpeg": "ffmpeg",
    "ffprobe": "ffmpeg",
    "exiftool": "libimage-exiftool-perl",
    "mediainfo": "mediainfo",
    "sox": "sox",
    "promtool": "prometheus",
}


def output_of(program: str, *arguments: str | Path, stdin: str = "") -> str:
    """What the program prints. Skips the test if it is not installed; fails if the program complains of anything."""
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: {_hint(program)}")
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [program, *map(str, arguments)],
        input=stdin.encode(),
        capture_output=True,
        timeout=60,
        check=False,
        env=environment,
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout.decode()


def _hint(program: str) -> str:
    if program == "kubectl":
        return "https://kubernetes.io/docs/tasks/tools. That of Debian 12 is too old."
    return f"Debian and Ubuntu have it: apt-get install {_PACKAGES[program]}"
