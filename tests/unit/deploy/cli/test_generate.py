"""`musicgen generate` in situations that are rare in a real system."""

import asyncio
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.cli.arguments import UsageError
from deploy.cli.gateway_client import GatewayTarget
from deploy.cli.generate import generate
from deploy.cli.saving import Saving
from shared.errors import MusicgenError
from tests.faults.small_disk import small_disk

REQUEST: dict[str, Any] = {"prompt": "tone", "duration": 1.0}
MOMENT = "2024-12-01T10:00:00.000Z"


def accepted(job_id: str, *takes: str) -> web.Response:
    body = {"job_id": job_id, "status": "queued", "message": "queued", "created_at": MOMENT}
    return web.json_response(body | {"takes": [{"job_id": each, "seed": 1} for each in takes]})


def view(job_id: str, status: str) -> web.Response:
    body = {"job_id": job_id, "status": status, "message": "done", "progress": 1.0, "created_at": MOMENT}
    return web.json_response(body)


class Gateway:
    """A fake gateway that accepts a job when the test allows it, and records cancellations."""

    def __init__(self, cancel_status: int = 200) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.posts = 0
        self.cancelled: list[str] = []
        self._cancel_status = cancel_status

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/api/v1/generate", self._accept)
        app.router.add_delete("/api/v1/jobs/{job_id}", self._cancel)
        app.router.add_get("/ws", self._socket)
        return app

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        await response.receive()
        await response.receive()
        return response

    async def _accept(self, request: web.Request) -> web.Response:
        self.posts += 1
        self.asked.set()
        await self.may_answer.wait()
        return accepted("gen_abc123456789")

    async def _cancel(self, request: web.Request) -> web.Response:
        self.cancelled.append(request.match_info["job_id"])
        body = {"message": "Cancelled", "detail": "It is finished: nothing to cancel."}
        return web.json_response(body, status=self._cancel_status)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
async def test_a_signal_during_the_request_still_cancels_the_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    gateway = Gateway()
    async with TestServer(gateway.app()) as server:
        target = GatewayTarget(str(server.make_url("")))
        generating = asyncio.create_task(generate(target, REQUEST, Saving(str(tmp_path / "out.wav"))))
        await gateway.asked.wait()
        os.kill(os.getpid(), number)
        await asyncio.sleep(0)
        gateway.may_answer.set()
        assert await generating == 128 + number
    assert gateway.cancelled == ["gen_abc123456789"]
    assert "gen_abc123456789 cancelled" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


async def test_a_failed_cancellation_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gateway = Gateway(cancel_status=409)
    gateway.may_answer.set()
    async with TestServer(gateway.app()) as server:
        target = GatewayTarget(str(server.make_url("")))
        generating = asyncio.create_task(generate(target, REQUEST, Saving(str(tmp_path / "out.wav"))))
        await gateway.asked.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        assert await generating == 128 + signal.SIGTERM
    said = capsys.readouterr().err
    assert "may still run" in said
    assert "nothing to cancel" in said


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("", "-o needs a file"),
        ("no/such/folder.wav", "No such file or directory"),
        ("new/", "There is no folder"),
        ("loop", "Too many levels of symbolic links"),
        ("n" * 256, "File name too long"),
        ("file/out.wav", "Not a directory"),
        ("/proc/out.wav", "cannot be written"),
    ],
)
async def test_an_unwritable_destination_fails_before_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    gateway = Gateway()
    async with TestServer(gateway.app()) as server:
        with pytest.raises(MusicgenError, match=words):
            await generate(GatewayTarget(str(server.make_url(""))), REQUEST, Saving(place))
    assert gateway.posts == 0
    assert {each.name for each in tmp_path.iterdir()} == {"loop", "file"}


async def test_a_socket_is_rejected_as_destination(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(tmp_path / "s"))
        with pytest.raises(MusicgenError, match="is a socket"):
            await generate(GatewayTarget("http://127.0.0.1:1"), REQUEST, Saving(str(tmp_path / "s")))
    assert (tmp_path / "s").is_socket()


async def test_a_full_disk_fails_before_the_request(tmp_path: Path) -> None:
    gateway = Gateway()
    with small_disk(tmp_path / "disk", 1):
        async with TestServer(gateway.app()) as server:
            with pytest.raises(MusicgenError, match=r"at least 1\.9 MB are needed"):
                await generate(
                    GatewayTarget(str(server.make_url(""))),
                    {**REQUEST, "duration": 60.0},
                    Saving(str(tmp_path / "disk" / "o.wav")),
                )
    assert gateway.posts == 0


async def test_an_existing_file_fails_before_the_request(tmp_path: Path) -> None:
    gateway = Gateway()
    for name in ("song.wav", "other.mid"):
        (tmp_path / name).write_bytes(b"precious")
    async with TestServer(gateway.app()) as server:
        target = GatewayTarget(str(server.make_url("")))
        for saving in (Saving(str(tmp_path / "song.wav")), Saving(str(tmp_path / "other.wav"), midi=True)):
            with pytest.raises(MusicgenError, match="exists already"):
                await generate(target, REQUEST, saving)
        with pytest.raises(UsageError, match="beside the audio"):
            await generate(target, REQUEST, Saving("/dev/null", stems=True))
        (tmp_path / "take_2.wav").write_bytes(b"precious")
        with pytest.raises(MusicgenError, match=r"take_2\.wav exists already"):
            await generate(target, REQUEST | {"variations": 3}, Saving(str(tmp_path / "take.wav")))
        for output in ("-", "/dev/null"):
            with pytest.raises(UsageError, match="Several takes are several files"):
                await generate(target, REQUEST | {"variations": 3}, Saving(output))
    assert gateway.posts == 0
    assert {each.read_bytes() for each in tmp_path.iterdir()} == {b"precious"}


@pytest.mark.parametrize(
    ("field", "message", "shown"),
    [
        ("bpm", "Expected `float` >= 40.0", "--bpm: Must be at least 40."),
        ("bars", "Expected `int` <= 128", "--bars: Must be at most 128."),
        ("temperature", "Expected `float` >= 0.1", "--temperature: Must be at least 0.1."),
        ("prompt", "Expected `str` of length <= 500", "PROMPT: Must have at most 500 characters."),
        ("title", "Expected `str` of length >= 1", "--title: Must not be empty."),
        ("sample_rate", "One of 44100, 48000.", "--sample-rate: One of 44100, 48000."),
        ("outputs", "The model writes no score.", "--stems, --midi: The model writes no score."),
        (
            "loop",
            "Object contains unknown field `loop`",
            "--loop: This gateway does not know it",
        ),
    ],
)
async def test_a_field_that_the_gateway_refuses_is_shown_as_an_option(
    tmp_path: Path, field: str, message: str, shown: str
) -> None:
    async def refuse(request: web.Request) -> web.Response:
        errors = [{"field": field, "message": message}]
        return web.json_response({"detail": f"{field}: {message}", "errors": errors}, status=422)

    app = web.Application()
    app.router.add_post("/api/v1/generate", refuse)
    async with TestServer(app) as server:
        with pytest.raises(MusicgenError) as caught:
            await generate(GatewayTarget(str(server.make_url(""))), REQUEST, Saving(str(tmp_path / "out.wav")))
    assert str(caught.value).startswith(shown)
    assert list(tmp_path.iterdir()) == []


async def test_one_take_that_fails_leaves_the_others(tmp_path: Path) -> None:
    takes = ["gen_abc123456780", "gen_abc123456781", "gen_abc123456782"]
    ends = dict(zip(takes, ("completed", "failed", "completed"), strict=True))

    async def accept(request: web.Request) -> web.Response:
        return accepted(takes[0], *takes)

    async def socket(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        job_id = (await response.receive_json())["job_id"]
        event = {"type": ends[job_id], "job_id": job_id, "seq": 1, "status": ends[job_id], "progress": 1.0}
        await response.send_json(event | {"message": "too loud", "at": MOMENT})
        await response.receive()
        return response

    async def status(request: web.Request) -> web.Response:
        job_id = request.match_info["job_id"]
        return view(job_id, ends[job_id])

    async def audio(request: web.Request) -> web.Response:
        return web.Response(body=request.match_info["job_id"].encode())

    app = web.Application()
    app.router.add_post("/api/v1/generate", accept)
    app.router.add_get("/ws", socket)
    app.router.add_get("/api/v1/status/{job_id}", status)
    app.router.add_get("/api/v1/download/{job_id}", audio)
    async with TestServer(app) as server:
        target = GatewayTarget(str(server.make_url("")))
        with pytest.raises(MusicgenError, match=f"{takes[1]} failed: too loud"):
            await generate(target, REQUEST | {"variations": 3}, Saving(str(tmp_path / "take.wav")))
    saved = {each.name: each.read_text() for each in tmp_path.iterdir()}
    assert saved == {"take_1.wav": takes[0], "take_3.wav": takes[2]}


async def test_a_finished_job_whose_audio_is_refused_names_the_command_that_saves_it_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = "gen_abc123456789"
    event = {"type": "completed", "job_id": job_id, "seq": 1, "status": "completed", "progress": 1.0, "message": "done"}

    async def accept(request: web.Request) -> web.Response:
        return accepted(job_id)

    async def socket(request: web.Request) -> web.WebSocketResponse:
        response = web.WebSocketResponse()
        await response.prepare(request)
        await response.receive()
        await response.send_json(event | {"at": MOMENT})
        await response.receive()
        return response

    async def status(request: web.Request) -> web.Response:
        return view(job_id, "completed")

    async def away(request: web.Request) -> web.Response:
        return web.json_response({"detail": "S3 is away."}, status=503)

    app = web.Application()
    app.router.add_post("/api/v1/generate", accept)
    app.router.add_get("/ws", socket)
    app.router.add_get("/api/v1/status/{job_id}", status)
    app.router.add_get("/api/v1/download/{job_id}", away)
    async with TestServer(app) as server:
        with pytest.raises(MusicgenError, match=r"S3 is away\."):
            await generate(GatewayTarget(str(server.make_url(""))), REQUEST, Saving(str(tmp_path)))
    assert f"`musicgen download {job_id}` saves it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
