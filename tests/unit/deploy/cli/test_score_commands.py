"""`musicgen play`, `orchestrate`, `accompany` and `continue`: options and requests."""

import argparse
from typing import Any

import msgspec
import pytest

from deploy.cli.arguments import UsageError
from deploy.cli.main import main
from deploy.cli.score_commands import add_score_commands, score_body
from gateway.schemas import GenerateRequest

JOB = "gen_abc123456789"


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_score_commands(parser.add_subparsers(dest="command"))
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("play", JOB), {"score": {"job_id": JOB}}),
        (
            ("play", JOB, "--program", "organ=73", "--program", "part 2=0", "--instruments", "organ, drums"),
            {"score": {"job_id": JOB, "programs": {"organ": 73, "part 2": 0}, "instruments": ["organ", "drums"]}},
        ),
        (
            ("play", "song.mid", "--loop", "--title", "Mine", "--stems", "-o", "x.flac"),
            {"score": {}, "loop": True, "title": "Mine", "format": "flac", "outputs": ["stems"]},
        ),
        (
            ("orchestrate", "song.mid", "string quartet", "--seed", "0"),
            {"score": {"as": "orchestrate"}, "prompt": "string quartet", "seed": 0},
        ),
        (
            ("accompany", JOB, "--instruments", "piano", "--key", "Am"),
            {"score": {"job_id": JOB, "as": "accompany", "instruments": ["piano"]}, "key": "Am"},
        ),
        (
            ("continue", "song.mid", "calm", "--bars", "16"),
            {"score": {"as": "continue"}, "prompt": "calm", "bars": 16},
        ),
    ],
)
def test_options_are_the_fields_of_the_request(words: tuple[str, ...], expected: dict[str, Any]) -> None:
    body = score_body(options(*words))
    assert body == expected
    assert msgspec.convert(body, GenerateRequest)


@pytest.mark.parametrize("text", ["organ", "organ=x", "=3", "organ=128"])
def test_what_is_no_program_is_refused(text: str) -> None:
    with pytest.raises(SystemExit):
        options("play", JOB, "--program", text)


def test_empty_names_are_refused() -> None:
    with pytest.raises(UsageError, match="single commas"):
        score_body(options("play", JOB, "--instruments", "drums,,piano"))


def test_an_orchestration_needs_a_prompt() -> None:
    with pytest.raises(SystemExit):
        options("orchestrate", "song.mid")


def test_what_is_neither_a_file_nor_a_job_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", "missing.mid"]) == 2
    assert "neither a file nor a job id" in capsys.readouterr().err
