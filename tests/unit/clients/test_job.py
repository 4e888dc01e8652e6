"""One job: its events across broken connections, its audio while it is made, and its files."""

import asyncio
import hashlib
import struct
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from musicgen_client import (
    AsyncClient,
    ClientError,
    ConflictError,
    JobFailedError,
    NotFoundError,
    SubscriptionError,
    TransferError,
    UnexpectedAnswerError,
    UnreachableError,
    job,
)

from shared.audio_chunk import AudioChunk, pack_chunk
from tests.unit.clients.gateway import JOB, FakeGateway, event, view

STATUS = ("GET", f"/api/v1/status/{JOB}")
AUDIO = ("GET", f"/api/v1/download/{JOB}")
SOUND = b"RIFF" + bytes(1000)
CHECKSUM = hashlib.sha256(SOUND).hexdigest()


def audio(sha256: str = CHECKSUM) -> dict[str, Any]:
    return {"key": "k", "size": len(SOUND), "duration": 1.0, "sample_rate": 32_000, "channels": 1, "sha256": sha256}


def accepted() -> dict[str, Any]:
    return {"job_id": JOB, "status": "queued", "message": "started", "created_at": "2024-12-01T10:00:00Z"}


def chunk(first: int, *samples: float, seq: int = 0, attempt: int = 1, last: bool = False) -> bytes:
    header = AudioChunk(
        job_id=JOB,
        seq=seq,
        attempt=attempt,
        first_sample=first,
        frames=len(samples),
        sample_rate=32_000,
        channels=1,
        last=last,
    )
    return pack_chunk(header, struct.pack(f"<{len(samples)}f", *samples))


async def test_events_go_on_after_broken_connections(gateway: FakeGateway, client: AsyncClient) -> None:
    gateway.sends(event("queued", 3), event("processing", 5))
    gateway.sends()
    gateway.sends(event("processing", 5), event("progress", 8))
    gateway.sends(event("completed", 9), stays_open=True)
    broken: list[ClientError] = []
    seen = [each async for each in client.job(JOB).events(on_reconnect=broken.append)]
    assert [(each.type, each.seq) for each in seen] == [
        *(("queued", 3), ("processing", 5), ("progress", 8), ("completed", 9))
    ]
    assert [each.get("after_seq") for each in gateway.subscriptions] == [None, 5, 5, 8]
    assert len(broken) == 3


async def test_a_job_whose_end_is_known_still_ends(gateway: FakeGateway, client: AsyncClient) -> None:
    gateway.sends(event("completed", 9), stays_open=True)
    assert [each.seq async for each in client.job(JOB).events(after_seq=9)] == [9]


async def test_an_unknown_job_is_not_waited_for(gateway: FakeGateway, client: AsyncClient) -> None:
    gateway.sends({"type": "error", "detail": "There is no such job.", "job_id": JOB}, stays_open=True)
    gateway.refuse(*STATUS, 404, "There is no job.")
    with pytest.raises(NotFoundError, match=r"There is no job\."):
        _ = [each async for each in client.job(JOB)]


async def test_a_gateway_that_stays_away_ends_the_events(gateway: FakeGateway) -> None:
    gateway.sends(event("queued", 1))
    async with AsyncClient(gateway.url, patience=0) as client:
        with pytest.raises(UnreachableError):
            _ = [each async for each in client.job(JOB)]


async def test_the_result_is_the_final_state(gateway: FakeGateway, client: AsyncClient) -> None:
    gateway.answer(*STATUS, view(status="processing"))
    gateway.answer(*STATUS, view())
    gateway.sends(event("processing", 1), event("completed", 2), stays_open=True)
    assert (await client.job(JOB).result()).status == "completed"


async def test_a_failed_job_has_no_result(gateway: FakeGateway, client: AsyncClient) -> None:
    gateway.answer(*STATUS, view(status="failed", error_message="out of memory", audio_url=None))
    for wanted in (client.job(JOB).result(), client.job(JOB).audio()):
        with pytest.raises(JobFailedError, match="out of memory") as caught:
            await wanted
        assert caught.value.view.job_id == JOB


async def test_a_cancelled_job_gives_the_audio_that_it_kept(gateway: FakeGateway, client: AsyncClient) -> None:
    gateway.answer(*STATUS, view(status="cancelled", audio=audio()))
    gateway.answer(*AUDIO, SOUND)
    assert await client.job(JOB).audio() == SOUND


async def test_cancel_keeps_the_audio_on_request(gateway: FakeGateway, client: AsyncClient) -> None:
    path = ("DELETE", f"/api/v1/jobs/{JOB}")
    gateway.answer(*path, {"message": "Stopping"})
    gateway.refuse(*path, 409)
    assert await client.job(JOB).cancel(keep=True) == "Stopping"
    assert gateway.requests[0].query == {"keep": "1"}
    with pytest.raises(ConflictError):
        await client.job(JOB).cancel()


async def test_all_takes_are_known_from_the_answer_and_cancelled_at_once(
    gateway: FakeGateway, client: AsyncClient
) -> None:
    answer = {**accepted(), "takes": [{"job_id": JOB, "seed": 1}, {"job_id": "gen_abc000000001", "seed": 2}]}
    gateway.answer("POST", "/api/v1/generate", answer)
    gateway.answer("DELETE", f"/api/v1/jobs/{JOB}", {"message": "Cancelled"})
    takes = await (await client.generate("house", variations=2)).takes()
    assert [each.id for each in takes] == [JOB, "gen_abc000000001"]
    await takes[0].cancel(takes=True)
    assert [dict(each.query) for each in gateway.requests] == [{}, {"takes": "1"}]


async def test_a_child_is_made_once_of_its_parent(gateway: FakeGateway, client: AsyncClient) -> None:
    parent = client.job("gen_abc00000000p")
    for kind in ("vary", "extend", "replace"):
        path = ("POST", f"/api/v1/jobs/{parent.id}/{kind}")
        gateway.refuse(*path, 503)
        gateway.answer(*path, {**accepted(), "parent": parent.id})
    children = [
        await parent.vary(strength=0.3, seed=7),
        await parent.extend(bars=8, at="start"),
        await parent.replace(from_bar=5, to_bar=8, instruments=["drums"]),
    ]
    assert {child.id for child in children} == {JOB}
    assert gateway.bodies[::2] == gateway.bodies[1::2]
    assert gateway.bodies[::2] == [
        {"strength": 0.3, "seed": 7},
        {"bars": 8, "at": "start"},
        {"from_bar": 5, "to_bar": 8, "instruments": ["drums"]},
    ]
    keys = [request.headers["Idempotency-Key"] for request in gateway.requests]
    assert keys[::2] == keys[1::2]
    assert len(set(keys)) == 3


async def test_live_audio_has_every_sample_once(gateway: FakeGateway, client: AsyncClient) -> None:
    gateway.sends(event("processing", 1), chunk(0, 0.0, 0.1), chunk(2, 0.2, seq=1))
    # The gateway begins again, and another attempt cuts its chunks in other places.
    gateway.sends(event("processing", 1), chunk(0, 0.0, attempt=2), chunk(1, 0.1, 0.2, 0.3, seq=1, attempt=2))
    gateway.sends(chunk(0, 0.0, 0.1, 0.2, 0.3, attempt=2), chunk(4, 0.4, seq=1, attempt=2, last=True), stays_open=True)
    async with aclosing(client.job(JOB).stream()) as chunks:
        pieces = [each async for each in chunks]
    assert [each.first_sample for each in pieces] == [0, 2, 3, 4]
    samples = b"".join(each.pcm for each in pieces)
    assert samples == struct.pack("<5f", 0.0, 0.1, 0.2, 0.3, 0.4)


async def test_live_audio_of_a_finished_job_ends_after_its_last_chunk(
    gateway: FakeGateway, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.sends(chunk(0, 0.0), event("completed", 2), chunk(1, 0.1, seq=1, last=True), stays_open=True)
    assert [each.end async for each in client.job(JOB).stream()] == [1, 2]
    monkeypatch.setattr(job, "AUDIO_IDLE", 0.05)
    gateway.sends(event("cancelled", 2), stays_open=True)
    assert [each async for each in client.job(JOB).stream()] == []


async def test_live_audio_of_a_failed_job_is_an_error(gateway: FakeGateway, client: AsyncClient) -> None:
    gateway.answer(*STATUS, view(status="failed", error_message="a string snapped"))
    gateway.sends(chunk(0, 0.0), event("failed", 2), stays_open=True)
    with pytest.raises(JobFailedError, match="a string snapped"):
        _ = [each async for each in client.job(JOB).stream()]


async def test_live_audio_that_the_gateway_ends_is_an_error(gateway: FakeGateway, client: AsyncClient) -> None:
    gateway.answer(*STATUS, view(status="processing"))
    gateway.sends({"type": "error", "detail": "You read too slowly.", "job_id": JOB}, stays_open=True)
    with pytest.raises(SubscriptionError, match="too slowly"):
        _ = [each async for each in client.job(JOB).stream()]


async def test_a_file_appears_only_when_its_checksum_is_right(
    gateway: FakeGateway, client: AsyncClient, tmp_path: Path
) -> None:
    gateway.answer(*STATUS, view(audio=audio()))
    gateway.answer(*AUDIO, SOUND[:-1] + b"x")
    gateway.answer(*AUDIO, SOUND)
    target = tmp_path / "song.wav"
    target.write_bytes(b"precious")
    with pytest.raises(TransferError, match="differ"):
        await client.job(JOB).save(target)
    assert target.read_bytes() == b"precious"
    await client.job(JOB).save(target)
    assert target.read_bytes() == SOUND
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (409, b'{"detail": "It is still processing."}', ConflictError),
        (404, b"<html>", NotFoundError),
        (206, SOUND, UnexpectedAnswerError),
        (302, b"", UnexpectedAnswerError),
    ],
)
async def test_an_answer_that_is_no_file_is_never_saved(
    gateway: FakeGateway, client: AsyncClient, tmp_path: Path, status: int, body: bytes, error: type[ClientError]
) -> None:
    gateway.answer(*STATUS, view())
    gateway.answer(*AUDIO, body, status=status, headers={"Location": "/elsewhere"} if status == 302 else {})
    with pytest.raises(error):
        await client.job(JOB).save(tmp_path / "song.wav")
    assert list(tmp_path.iterdir()) == []


async def test_a_download_that_breaks_off_is_never_saved(
    gateway: FakeGateway, client: AsyncClient, tmp_path: Path
) -> None:
    class Cut(web.Response):
        async def write_eof(self, data: bytes = b"") -> None:
            assert self._req is not None
            await super().write(SOUND)
            assert self._req.transport is not None
            self._req.transport.abort()

    gateway.answer(*STATUS, view())
    gateway.answers[AUDIO].append(lambda: Cut(headers={"Content-Length": "5000"}))
    with pytest.raises(TransferError, match="interrupted"):
        await client.job(JOB).save(tmp_path / "song.wav")
    assert list(tmp_path.iterdir()) == []


async def test_outputs_are_checked_by_the_gateways_checksum(gateway: FakeGateway, client: AsyncClient) -> None:
    stem = {"kind": "stem", "name": "drum machine.wav", "size": 4, "download_url": ""}
    gateway.answer(*STATUS, view(outputs=[stem, stem | {"kind": "project", "name": "x"}]))
    path = ("GET", f"/api/v1/download/{JOB}/drum machine.wav")
    gateway.answer(*path, SOUND, headers={"ETag": f'"{CHECKSUM}"'})
    gateway.answer(*path, SOUND[1:], headers={"ETag": f'"{CHECKSUM}"'})
    assert await client.job(JOB).stems() == {"drum machine.wav": SOUND}
    with pytest.raises(TransferError, match="differ"):
        await client.job(JOB).stems()


async def test_stems_that_were_not_asked_for_are_explained(gateway: FakeGateway, client: AsyncClient) -> None:
    gateway.answer(*STATUS, view(outputs=[]))
    with pytest.raises(NotFoundError, match="Ask for them"):
        await client.job(JOB).stems()


async def test_leaving_the_events_closes_the_connection(gateway: FakeGateway, client: AsyncClient) -> None:
    closed = asyncio.Event()

    async def script(socket: web.WebSocketResponse) -> None:
        await socket.send_json(event("queued", 1))
        await socket.receive()
        closed.set()

    gateway.scripts.append(script)
    async with aclosing(client.job(JOB).events()) as events:
        async for _ in events:
            break
    await asyncio.wait_for(closed.wait(), 5)
