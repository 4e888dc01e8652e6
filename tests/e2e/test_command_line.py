"""The client commands against a real gateway and worker."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import ROOT
from tests.documents import blocks
from tests.e2e.stack import TIMEOUT, Up

pytestmark = pytest.mark.e2e
PROGRAM = [sys.executable, "-m", "deploy.cli.main"]


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One run with the starter model, which all tests share."""
    stack = Up(tmp_path_factory.mktemp("starter") / "data", MUSICGEN_ENGINE="batching")
    try:
        yield stack.start()
        assert stack.stop() == 0
    finally:
        stack.close()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, starter: Up) -> Path:
    """The folder in which the commands run, with the shared gateway as their default."""
    monkeypatch.setenv("MUSICGEN_URL", starter.url)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, timeout=TIMEOUT, check=False)


def generated(*arguments: str) -> str:
    """Generate two seconds; return what the command prints."""
    made = run("generate", "piano", "--duration", "2", "--seed", "7", *arguments)
    assert made.returncode == 0, made.stderr
    return made.stderr.decode()


def test_the_examples_of_command_line_md_run(here: Path) -> None:
    programs = [block.text for block in blocks(ROOT / "docs" / "command-line.md") if block.is_program]
    script = "\n".join(programs).replace("uv run musicgen", " ".join(PROGRAM))
    arguments = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(arguments, capture_output=True, timeout=2 * TIMEOUT, check=False)
    assert done.returncode == 0, done.stderr
    jobs = json.loads((here / "jobs.json").read_text())
    prompts = ["MIDI score", "double bass and brushed drums", "string quartet", "MIDI score", "happy piano"]
    assert [job["prompt"] for job in jobs] == prompts
    assert jobs[-1]["seed"] == 7
    for name in ("house.wav", "played.wav", "quartet.wav", "trio.wav", "longer.wav"):
        assert (here / name).read_bytes()[:4] == b"RIFF"
    for line in (
        "  seed       7",
        "  tempo      124 BPM, 4/4",
        "  key        A minor",
        "  length     4 bars, 7.742 s",
    ):
        assert line in done.stderr.decode().splitlines()


def test_generate_prints_a_summary_and_no_control_sequence(here: Path) -> None:
    printed = generated("-o", "piano.wav")
    assert "  understood piano\n" in printed
    assert "  seed       7\n" in printed
    assert re.search(r"^✓ piano\.wav$", printed, re.MULTILINE)
    assert "\x1b" not in printed
    assert "\r" not in printed


def test_the_gateway_names_the_file(here: Path) -> None:
    generated("--bpm", "120", "--title", "../Nacht/musik")
    (file,) = here.iterdir()
    assert re.fullmatch(r"Nacht-musik_120bpm_.*gen_[a-z0-9]{12}\.wav", file.name)


@pytest.mark.parametrize(("ending", "beginning"), [("flac", b"fLaC"), ("ogg", b"OggS"), ("mp3", b"ID3")])
def test_the_ending_chooses_the_format(here: Path, ending: str, beginning: bytes) -> None:
    generated("-o", f"piano.{ending}", "--sample-rate", "48000")
    assert (here / f"piano.{ending}").read_bytes().startswith(beginning)


def test_a_saved_file_makes_the_same_samples_again(here: Path) -> None:
    arguments = ("house", "--bars", "1", "--bpm", "124", "--key", "Am", "--loop", "--sample-rate", "44100")
    assert run("generate", *arguments, "-o", "take.wav").returncode == 0
    again = run("generate", "--from-file", "take.wav", "--no-cache", "-o", "again.wav")
    assert again.returncode == 0, again.stderr
    assert (here / "again.wav").read_bytes() == (here / "take.wav").read_bytes()
    slower = run("generate", "--from-file", "take.wav", "--bpm", "62", "-o", "slower.wav")
    assert slower.returncode == 0, slower.stderr
    assert b"1 bar, 3.871 s, loop" in slower.stderr


def test_an_existing_file_is_kept_without_force(here: Path) -> None:
    (here / "piano.wav").write_bytes(b"precious")
    refused = run("generate", "piano", "-o", "piano.wav")
    assert refused.returncode == 1
    assert b"--force" in refused.stderr
    assert (here / "piano.wav").read_bytes() == b"precious"
    generated("-o", "piano.wav", "--force")
    assert (here / "piano.wav").read_bytes()[:4] == b"RIFF"
    assert [each.name for each in here.iterdir()] == ["piano.wav"]


def test_standard_output_gets_the_audio_alone(here: Path) -> None:
    piped = run("generate", "piano", "--duration", "2", "--seed", "7", "-o", "-")
    generated("-o", "piano.wav")
    assert piped.stdout == (here / "piano.wav").read_bytes()
    assert b"standard output" in piped.stderr


def test_a_closed_pipe_ends_the_command_without_an_error_message(here: Path) -> None:
    script = f"{' '.join(PROGRAM)} generate piano --duration 20 --seed 7 -o - | head -c 4; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=TIMEOUT, check=False)
    assert done.stdout == b"RIFF"
    assert done.returncode == 141
    assert b"rror" not in done.stderr


def test_stems_and_midi_are_saved_beside_the_audio(here: Path) -> None:
    printed = generated("-o", "piano.wav", "--stems", "--midi")
    names = {each.name for each in here.iterdir()}
    assert {"piano.wav", "piano.mid"} < names
    assert all(name in printed for name in names)
    assert (here / "piano.mid").read_bytes()[:4] == b"MThd"
    stems = names - {"piano.wav", "piano.mid"}
    assert stems
    assert all(re.fullmatch(r"piano_.+\.wav", name) for name in stems)


def test_download_saves_the_files_of_a_job_again(here: Path) -> None:
    generated("-o", "piano.wav", "--midi")
    (job,) = json.loads(run("jobs", "--limit", "1", "--json").stdout)
    (here / "again").mkdir()
    saved = run("download", job["job_id"], "-o", "again", "--midi")
    assert saved.returncode == 0, saved.stderr
    again = {each.suffix: each.read_bytes() for each in (here / "again").iterdir()}
    assert again == {suffix: (here / f"piano{suffix}").read_bytes() for suffix in (".wav", ".mid")}
    assert job["job_id"] in next((here / "again").glob("*.wav")).name
    piped = run("download", job["job_id"], "-o", "-")
    assert piped.stdout == again[".wav"]
    missing = run("download", job["job_id"], "-o", "more.wav", "--stems")
    assert missing.returncode == 1
    assert b"has no stems" in missing.stderr


def test_the_bundle_holds_all_files(here: Path) -> None:
    generated("-o", "piano.wav", "--midi", "--stems")
    (job,) = json.loads(run("jobs", "--limit", "1", "--json").stdout)
    saved = run("download", job["job_id"], "--bundle")
    assert saved.returncode == 0, saved.stderr
    (file,) = here.glob("*.zip")
    with ZipFile(file) as bundle:
        assert bundle.testzip() is None
        contents = {name.rpartition("/")[2]: bundle.read(name) for name in bundle.namelist()}
    assert {each.read_bytes() for each in here.iterdir() if each != file} <= set(contents.values())
    assert json.loads(contents["recipe.json"])["recipe"]["seed"] == 7


def test_problems_of_a_download_are_one_line(here: Path) -> None:
    unknown = run("download", "gen_000000000000")
    assert (unknown.returncode, unknown.stderr.count(b"\n")) == (1, 1)
    assert b"There is no job" in unknown.stderr
    job_id = queued_job()
    early = run("download", job_id)
    assert (early.returncode, early.stderr.count(b"\n")) == (1, 1)
    assert b"has no audio" in early.stderr
    assert run("cancel", job_id).returncode == 0
    assert list(here.iterdir()) == []


def queued_job() -> str:
    """Start a job of a model without a worker by a command that is then killed; return its id."""
    command = [*PROGRAM, "generate", "piano", "--model", "small"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        job_id = process.stderr.readline().strip()
        process.kill()
    for part in Path().glob(".musicgen-*.part"):
        part.unlink()
    return job_id


def test_ctrl_c_cancels_the_job_and_leaves_no_file(here: Path) -> None:
    command = [*PROGRAM, "generate", "piano", "--model", "small"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        job_id = process.stderr.readline().strip()
        process.send_signal(signal.SIGINT)
        assert f"{job_id} cancelled" in process.stderr.read()
        assert process.wait(TIMEOUT) == 130
    assert list(here.iterdir()) == []


def test_a_field_that_the_gateway_refuses_is_named_as_an_option() -> None:
    for option, value in (("--bpm", "999"), ("--bars", "0"), ("--temperature", "9"), ("--key", "H")):
        refused = run("generate", "piano", option, value)
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"musicgen generate: {option}: ".encode()), refused.stderr
        assert b"`" not in refused.stderr


def test_a_terminal_shows_progress_within_its_width(here: Path) -> None:
    # Without a terminal of its own, `script` may set the size again after stty; COLUMNS holds either way.
    script = f"stty cols 40 && COLUMNS=40 {' '.join(PROGRAM)} generate 'solo piano' --duration 2"
    shown = subprocess.run(
        ["script", "-qec", script, "/dev/null"],
        env=os.environ | {"TERM": "xterm"},
        capture_output=True,
        timeout=TIMEOUT,
        check=False,
    )
    # Sequences that move the cursor or erase a line begin another line; all others are colours and modes.
    text = re.sub(r"\x1b\[[0-9;?]*[A-K]", "\n", shown.stdout.decode())
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    assert shown.returncode == 0, text
    assert "✓" in text
    assert [line for line in re.split(r"[\r\n]+", text) if "━" in line and len(line) > 40] == []
