"""The command line."""

import subprocess
import sys

import pytest

from deploy.cli.main import _parser, main
from shared.version import VERSION


def parsing_error(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    return capsys.readouterr().err


def test_a_worker_gets_its_models_and_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, str] = {}
    monkeypatch.setattr("worker.main.main", given.update)
    assert main(["worker", "--model", "small", "--model", "./tune", "--device", "cuda:1"]) == 0
    assert given == {"MUSICGEN_MODEL_SIZE": "small", "WORKER_MODELS": "./tune", "MUSICGEN_DEVICE": "cuda:1"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "COMMAND"),
        (("sing",), "sing"),
        (("up", "--port", "0"), "1 to 65535"),
        (("up", "--port", "65536"), "1 to 65535"),
        (("up", "--port", "http"), "1 to 65535"),
        (("up", "--workers", "-1"), "0 to 64"),
        (("up", "--workers", "65"), "0 to 64"),
        (("up", "--colour", "red"), "--colour"),
        (("generate", "a", "--duration", "long"), "--duration"),
        (("generate", "a", "--duration", "nan"), "8 or 7.5"),
        (("generate", "a", "--duration", "inf"), "8 or 7.5"),
        (("generate", "a", "--seed", "1.5"), "--seed"),
        (("generate", "a", "--bpm", "nan"), "'nan' is not a number"),
        (("generate", "a", "--bars", "8", "--duration", "8"), "not allowed with"),
        (("generate", "a", "--format", "aiff"), "--format"),
        (("generate", "a", "--sample-rate", "32000"), "--sample-rate"),
        (("generate", "a", "--url", "http://a", "--data-dir", "/b"), "not allowed with"),
        (("download",), "JOB"),
        (("jobs", "--status", "done"), "done"),
        (("cancel",), "JOB"),
    ],
)
def test_an_invalid_command_line_names_the_problem(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    assert words in parsing_error(capsys, *arguments)


def test_no_worker_is_the_same_as_0_workers() -> None:
    assert _parser().parse_args(["up"]).workers == 1
    assert _parser().parse_args(["up", "--no-worker"]).workers == 0
    assert _parser().parse_args(["up", "--workers", "3"]).workers == 3


def test_cancel_keeps_nothing_by_default() -> None:
    assert _parser().parse_args(["cancel", "gen_abc123456789"]).keep is False
    assert _parser().parse_args(["cancel", "--keep", "gen_abc123456789"]).keep is True


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == VERSION


@pytest.mark.parametrize(
    "command", [["cancel", "gen_abc123456789"], ["jobs"], ["generate", "a"], ["download", "gen_abc123456789"]]
)
def test_an_unreachable_gateway_is_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert main([*command, "--url", "http://127.0.0.1:1"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"musicgen {command[0]}: No gateway answers at http://127.0.0.1:1.")
    assert error.count("\n") == 1


@pytest.mark.parametrize("command", ["gateway", "worker"])
def test_an_invalid_setting_stops_the_role_and_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("MAX_DURATION", "long")
    program = f"import sys; from deploy.cli.main import main; sys.exit(main(['{command}']))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"musicgen {command}: MAX_DURATION must be")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["generate"], "give a PROMPT, or a file with --from-file"),
        (["generate", "a", "-o", "x.mp3", "--format", "wav"], "x.mp3 does not fit --format wav"),
        (["download", "gen_abc123456789", "--bundle", "--midi"], "The bundle contains stems and MIDI"),
    ],
)
def test_contradicting_options_end_with_code_2_before_the_gateway_is_asked(
    capsys: pytest.CaptureFixture[str], command: list[str], words: str
) -> None:
    assert main([*command, "--url", "http://127.0.0.1:1"]) == 2
    assert words in capsys.readouterr().err


def test_help_fits_80_columns_and_groups_the_options(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["generate", "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith(":") and not line.startswith(" ")] == [
        "positional arguments:",
        "options:",
        "music:",
        "file:",
        "model:",
        "gateway:",
        "examples:",
    ]
    assert max(map(len, lines)) <= 80


def test_help_imports_neither_torch_nor_a_server() -> None:
    program = (
        "import sys\nfrom deploy.cli.main import _parser\n_parser().format_help()\n"
        "print(sorted({'torch', 'aiohttp', 'nats', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "[]"
