"""`musicgen replace`, `extend` and `vary`: options and requests."""

import argparse
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.cli.arguments import UsageError
from deploy.cli.edit_commands import add_edit_commands, edit_body, sender
from deploy.cli.gateway_client import GatewayTarget
from deploy.cli.generate import generate
from deploy.cli.saving import Saving
from gateway.jobs.edit_requests import ExtendRequest, ReplaceRequest, VaryRequest
from shared.errors import MusicgenError

JOB = "gen_abc123456789"


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_edit_commands(parser.add_subparsers(dest="command"))
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("replace", JOB, "--bars", "5-8"), ReplaceRequest(from_bar=5, to_bar=8)),
        (("replace", JOB, "--seconds", "8-12.5"), ReplaceRequest(from_seconds=8, to_seconds=12.5)),
        (
            ("replace", JOB, "--bars", "3", "--instruments", "drums, piano", "--prompt", "sparse", "--seed", "7"),
            ReplaceRequest(from_bar=3, to_bar=3, instruments=("drums", "piano"), prompt="sparse", seed=7),
        ),
        (
            ("extend", JOB, "--bars", "8", "--at", "start", "--title", "Long"),
            ExtendRequest(bars=8, at="start", title="Long"),
        ),
        (("extend", JOB, "--seconds", "7.5", "--midi"), ExtendRequest(seconds=7.5, outputs=("midi",))),
        (("vary", JOB), VaryRequest()),
        (("vary", JOB, "--strength", "0", "--stems"), VaryRequest(strength=0.0, outputs=("stems",))),
    ],
)
def test_options_are_the_fields_of_the_request(words: tuple[str, ...], expected: msgspec.Struct) -> None:
    assert msgspec.convert(edit_body(options(*words)), type(expected), strict=False) == expected


@pytest.mark.parametrize(
    "words",
    [
        ("replace", JOB),
        ("replace", JOB, "--bars", "5-"),
        ("replace", JOB, "--bars", "a"),
        ("replace", JOB, "--seconds", "8"),
        ("replace", JOB, "--bars", "5", "--seconds", "8-12"),
        ("extend", JOB),
        ("extend", JOB, "--bars", "2", "--seconds", "3"),
        ("vary",),
    ],
)
def test_what_is_missing_or_wrong_ends_the_command(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options(*words)
    assert "error" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("vary", "take.wav"), ("vary", JOB, "--instruments", "drums,,piano")])
def test_wrong_names_are_told(words: tuple[str, ...]) -> None:
    given = options(*words)
    with pytest.raises(UsageError):
        given.run(given)


async def test_the_request_goes_to_the_take(tmp_path: Path) -> None:
    asked: list[Any] = []

    async def refuse(request: web.Request) -> web.Response:
        asked.append((request.path, await request.json()))
        problem = {"detail": "to_bar: The take has 4 bars.", "errors": [{"field": "to_bar", "message": "Too far."}]}
        return web.json_response(problem, status=422, content_type="application/problem+json")

    app = web.Application()
    app.router.add_post("/api/v1/jobs/{job_id}/{name}", refuse)
    async with TestServer(app) as server:
        target, saving = GatewayTarget(str(server.make_url(""))), Saving(str(tmp_path / "out.wav"))
        for words in (("replace", JOB, "--bars", "5-8"), ("extend", JOB, "--bars", "8"), ("vary", JOB)):
            with pytest.raises(MusicgenError, match="--bars: Too far"):
                await generate(target, edit_body(options(*words)), saving, sender(words[0], JOB))
    assert asked == [
        (f"/api/v1/jobs/{JOB}/replace", {"from_bar": 5, "to_bar": 8}),
        (f"/api/v1/jobs/{JOB}/extend", {"bars": 8}),
        (f"/api/v1/jobs/{JOB}/vary", {}),
    ]
