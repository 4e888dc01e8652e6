"""`musicgen jobs` in a terminal, in a pipe and as JSON."""

import json
import re
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.cli.gateway_client import GatewayTarget
from deploy.cli.jobs import list_jobs
from shared.errors import MusicgenError

JOBS: list[dict[str, Any]] = [
    {
        "job_id": "gen_abc123456789",
        "status": "completed",
        "progress": 1.0,
        "duration": 15.484,
        "message": "",
        "created_at": "2024-12-01T10:00:00.000Z",
        "prompt": "house \x1b[2J [bold]",
        "bpm": 124.0,
        "key": "A minor",
        "bars": 8,
        "field of a later version": {"x": 1},
    },
    {
        "job_id": "gen_000000000000",
        "status": "processing",
        "progress": 0.4,
        "duration": 30.0,
        "message": "",
        "created_at": "2024-12-01T10:00:00.000Z",
        "prompt": "a tone",
    },
]


@pytest.fixture
async def target() -> AsyncIterator[GatewayTarget]:
    async def listing(request: web.Request) -> web.Response:
        if int(request.query["limit"]) > 200:
            errors = [{"field": "limit", "message": "Expected `int` <= 200"}]
            return web.json_response({"detail": "limit: Expected `int` <= 200", "errors": errors}, status=422)
        return web.json_response({"jobs": JOBS, "total": 3, "next_cursor": "1-gen_000000000000"})

    app = web.Application()
    app.router.add_get("/api/v1/jobs", listing)
    async with TestServer(app) as server:
        yield GatewayTarget(str(server.make_url("")))


async def test_a_pipe_gets_a_line_per_job_with_new_columns_at_the_end(
    target: GatewayTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    await list_jobs(target, 20, None)
    lines = capsys.readouterr().out.split("\n")
    assert lines[0].split("\t") == [
        *("gen_abc123456789", "completed", "100%", "15.484", "2024-12-01T10:00:00.000Z", "house \\x1b[2J [bold]"),
        *("124", "A minor", "8"),
    ]
    assert lines[1].split("\t")[5:] == ["a tone", "", "", ""]
    assert lines[2:] == [""]


async def test_json_is_one_array_of_the_gateways_objects(
    target: GatewayTarget, capsys: pytest.CaptureFixture[str]
) -> None:
    await list_jobs(target, 20, None, as_json=True)
    printed = capsys.readouterr().out
    assert json.loads(printed) == JOBS
    assert "\x1b" not in printed


@pytest.mark.parametrize("width", [200, 80, 40, 10])
async def test_a_terminal_gets_a_table_that_fits(
    target: GatewayTarget, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    await list_jobs(target, 20, None)
    head, first, second, more = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert max(len(line) for line in (head, first, second)) <= max(width, 18)
    assert first.startswith("gen_abc123456789")
    assert "\x1b" not in first
    assert more == "2 of 3; use --limit to show more"
    if width == 200:
        assert head.split() == ["job", "status", "done", "length", "tempo", "key", "age", "prompt"]
        assert "100%  8 bars    124 BPM  A minor" in first
        assert " 40%   30 s " in second


async def test_a_limit_that_is_too_high_is_named_as_the_option(target: GatewayTarget) -> None:
    with pytest.raises(MusicgenError, match=r"^--limit: Must be at most 200\.$"):
        await list_jobs(target, 201, None)
