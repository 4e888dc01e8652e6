"""The README is right: its examples run, and its tables name what there is."""

import re
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from shared.models import MODEL_NAMES
from shared.settings import Settings
from tests.conftest import ROOT
from tests.e2e.stack import Up, musicgen

README = (ROOT / "README.md").read_text()


def section(title: str) -> str:
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.mark.e2e
def test_every_example_runs_on_the_starter_model(up: Callable[..., Up], tmp_path: Path) -> None:
    stack = up(engine="batching").start()
    api = section("The API by example")
    script = re.sub(r"```python\n(.*?)```", _as_bash, api, flags=re.DOTALL)
    examples = [block.replace("http://127.0.0.1:8000", stack.url) for block in blocks("bash", script)]
    assert len(examples) == 8
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(examples)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    with wave.open(str(tmp_path / "music.wav")) as file:
        assert (file.getframerate(), file.getnframes()) == (32_000, 4 * 32_000)
    assert (tmp_path / "music.mid").read_bytes()[:4] == b"MThd"
    for expected in ("206", "at 120 BPM", "Job cancelled successfully", "At most 120 seconds", "completed 1.0"):
        assert expected in run.stdout
    first = section("Two commands")
    (client,) = re.findall(r"uv run musicgen generate (.*)", first)
    file = tmp_path / "first.wav"
    made = musicgen("generate", "upbeat electronic music", "--duration", "8", "-o", str(file), "--url", stack.url)
    assert "-o first.wav" in client
    assert made.returncode == 0, made.stderr
    assert stack.stop() == 0


def _as_bash(match: re.Match[str]) -> str:
    return f"```bash\nJOB=$JOB {sys.executable} - <<'PYTHON'\n{match.group(1)}PYTHON\n```"


def test_the_settings_table_names_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([A-Z0-9_]+)` \| ?`?([^|`]*?)`? ?\|", section("Settings"), re.MULTILINE))
    fields = {field.encode_name: field.default for field in msgspec.structs.fields(Settings)}
    shown = {
        name: "" if default is None else f"{default:g}" if isinstance(default, float) else str(default)
        for name, default in fields.items()
    }
    assert rows == shown


def test_every_model_is_in_the_table() -> None:
    table = section("Two commands")
    for name in MODEL_NAMES:
        family = name.removeprefix("stereo-")
        assert f"`{name}`" in table or f"`{family}`" in table


def test_every_command_is_in_the_table() -> None:
    shown = musicgen("--help").stdout
    (commands,) = re.findall(r"^  COMMAND\n(.*)", shown, re.DOTALL | re.MULTILINE) or [shown]
    names = re.findall(r"^    (\w+)", commands, re.MULTILINE)
    assert set(names) == {"up", "gateway", "worker", "generate", "jobs", "cancel", "env", "doctor", "admin"}
    assert all(f"`musicgen {name}" in section("Commands") for name in names)


def test_every_link_to_a_file_leads_somewhere() -> None:
    for document in (ROOT / "README.md", *ROOT.glob("docs/*.md"), ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
