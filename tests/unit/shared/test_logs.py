"""Logs as a separate process writes them."""

import json
import subprocess
import sys

import pytest

HEAD = """
import logging, structlog, sys
from shared.logs import configure_logs, get_logger
configure_logs(sys.argv[1], sys.argv[2], "worker")
log = get_logger("test")
"""


def written(program: str, style: str, level: str = "info") -> list[str]:
    """The lines that a program wrote to stderr; it must write nothing to stdout."""
    done = subprocess.run(
        [sys.executable, "-c", HEAD + program, level, style], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_a_json_line_carries_level_time_role_and_job() -> None:
    program = 'structlog.contextvars.bind_contextvars(job_id="gen_1"); log.info("claimed", slots=2)'
    (line,) = written(program, "json")
    event = json.loads(line)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "claimed",
        "level": "info",
        "logger": "test",
        "role": "worker",
        "job_id": "gen_1",
        "slots": 2,
    }


def test_a_text_line_carries_the_job_and_no_colours() -> None:
    (line,) = written('log.info("claimed", job_id="gen_1")', "text")
    assert "claimed" in line
    assert "job_id=gen_1" in line
    assert "\x1b" not in line


@pytest.mark.parametrize("style", ["text", "json"])
def test_a_newline_in_a_value_stays_on_one_line(style: str) -> None:
    (line,) = written(r'log.info("refused", prompt="a\nERROR forged\r\nline")', style)
    assert r"a\nERROR forged" in line


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200f", "\u2028", "\x85", "\x1b[2J", "\x07", "\x00"])
def test_control_characters_in_logs_are_escaped(style: str, character: str) -> None:
    program = f"""
log.info("refused", prompt={"a" + character!r}, words={"a b" + character!r}, listed=[{character!r}])
logging.getLogger("x").warning("library: %s", {"a" + character + chr(10) + "forged"!r})
try:
    raise ValueError({"a" + character!r})
except ValueError:
    log.exception("broken")
"""
    lines = written(program, style)
    assert [line for line in lines if not line.isprintable()] == []
    assert not any(line.startswith("forged") for line in lines)


@pytest.mark.parametrize("style", ["text", "json"])
def test_library_logs_have_the_same_format(style: str) -> None:
    program = 'structlog.contextvars.bind_contextvars(job_id="gen_1"); logging.getLogger("x").warning("n %d", 3)'
    (line,) = written(program, style)
    assert "n 3" in line
    assert "gen_1" in line
    assert "warning" in line


def test_an_exception_is_one_json_line_with_its_traceback() -> None:
    program = """
try:
    1 / 0
except ZeroDivisionError:
    log.exception("broken")
"""
    (line,) = written(program, "json")
    event = json.loads(line)
    assert event["level"] == "error"
    assert "ZeroDivisionError" in event["exception"]


def test_messages_below_the_level_are_not_written() -> None:
    assert written('log.info("quiet"); log.debug("quiet")', "json", "warning") == []
