"""DELETE with ?keep=1 on the gateway. The test plays the worker, so that jobs stay in the state it needs."""

import hashlib
from typing import Any

import pytest
from msgspec.structs import replace
from nats.aio.client import Client

from deploy.cli.gateway_client import GatewayTarget
from deploy.cli.jobs import cancel_job
from shared import subjects
from shared.bus import flush
from shared.files import Audio, audio_key
from shared.messages import JobRecord, JobStatus, now
from shared.publisher import publish_event
from shared.records import Records
from tests.integration.jobs import store
from tests.integration.system import Api, System
from tests.records import ending

WAV = b"RIFF" + b"\0" * 40
STOPPING = "Stopping; what was made is kept"


async def delete(api: Api, job_id: str, query: str = "?keep=1") -> tuple[int, dict[str, Any]]:
    async with api.http.delete(f"/api/v1/jobs/{job_id}{query}") as response:
        body: dict[str, Any] = await response.json(content_type=None)
        return response.status, body


class Hand:
    """What a worker does to a record."""

    def __init__(self, client: Client, records: Records) -> None:
        self.client = client
        self.records = records

    async def record(self, job_id: str) -> JobRecord:
        entry = await self.records.get(job_id)
        assert entry is not None
        return entry.record

    async def change(self, job_id: str, **fields: Any) -> None:
        entry = await self.records.get(job_id)
        assert entry is not None
        changed = replace(entry.record, updated_at=now(), **fields)
        await publish_event(self.client.jetstream(), await self.records.update(entry, changed))


@pytest.fixture
async def api(system: System) -> Api:
    return await system.gateway()


@pytest.fixture
async def hand(system: System, api: Api) -> Hand:
    client = await system.nats()
    return Hand(client, Records(await client.jetstream().key_value(subjects.JOBS_BUCKET)))


async def processing(api: Api, hand: Hand) -> str:
    job_id = await api.generate()
    await hand.change(job_id, status=JobStatus.PROCESSING, attempts=1, progress=0.5, message="Generating")
    return job_id


async def test_a_queued_job_is_cancelled_at_once(api: Api, hand: Hand) -> None:
    job_id = await api.generate()
    assert await delete(api, job_id) == (200, {"message": "Job cancelled successfully"})
    record = await hand.record(job_id)
    assert (record.status, record.keep_requested, record.audio) == (JobStatus.CANCELLED, False, None)
    assert (await hand.client.jetstream().stream_info(subjects.JOBS_STREAM)).state.messages == 0
    assert (await delete(api, job_id))[0] == 200


async def test_a_running_job_gets_a_stop_request_that_clients_see(api: Api, hand: Hand) -> None:
    job_id = await processing(api, hand)
    hints = await hand.client.subscribe(subjects.cancel_subject(job_id))
    await flush(hand.client)
    async with api.http.ws_connect(f"/ws?job_id={job_id}") as socket:
        before = await socket.receive_json(timeout=5)
        assert await delete(api, job_id) == (200, {"message": "Job cancelled successfully"})
        event = await socket.receive_json(timeout=5)
    assert (event["type"], event["status"], event["message"]) == ("progress", "processing", STOPPING)
    assert event["progress"] == before["progress"] == 0.5
    assert event["seq"] > before["seq"]
    assert (await hints.next_msg(timeout=5)).data == b""
    record = await hand.record(job_id)
    assert (record.status, record.keep_requested, record.completed_at) == (JobStatus.PROCESSING, True, None)
    status = await api.status(job_id)
    assert (status["status"], status["message"]) == ("processing", STOPPING)


async def test_a_repeated_stop_request_only_repeats_the_hint(api: Api, hand: Hand) -> None:
    job_id = await processing(api, hand)
    await delete(api, job_id)
    first = await hand.records.get(job_id)
    hints = await hand.client.subscribe(subjects.cancel_subject(job_id))
    await flush(hand.client)
    assert (await delete(api, job_id))[0] == 200
    assert await hand.records.get(job_id) == first
    await hints.next_msg(timeout=5)


async def test_a_plain_cancel_afterwards_discards_the_audio(api: Api, hand: Hand) -> None:
    job_id = await processing(api, hand)
    await delete(api, job_id)
    assert (await delete(api, job_id, ""))[0] == 200
    record = await hand.record(job_id)
    assert (record.status, record.keep_requested) == (JobStatus.CANCELLED, False)
    # And it stays so.
    assert (await delete(api, job_id))[0] == 200
    assert (await hand.record(job_id)) == record


async def test_kept_audio_can_be_downloaded(system: System, api: Api, hand: Hand) -> None:
    job_id = await processing(api, hand)
    await delete(api, job_id)
    key, etag = await store(system.storage(), audio_key(job_id), WAV)
    checksum = hashlib.sha256(WAV).hexdigest()
    audio = Audio(key=key, size=len(WAV), duration=0.25, sample_rate=32_000, channels=1, sha256=checksum, s3_etag=etag)
    async with api.http.ws_connect(f"/ws?job_id={job_id}") as socket:
        await socket.receive_json(timeout=5)
        await hand.change(job_id, status=JobStatus.CANCELLED, message="Stopped", audio=audio, completed_at=now())
        event = await socket.receive_json(timeout=5)
    assert event["type"] == "cancelled"
    status = await api.until(job_id, "cancelled")
    for told in (event, status):
        assert told["audio_url"] == f"/api/v1/download/{job_id}"
        assert (told["file_size"], told["actual_duration"]) == (len(WAV), 0.25)
    for query in ("", "?proxy=1"):
        async with api.http.get(f"/api/v1/download/{job_id}{query}") as response:
            assert (response.status, await response.read()) == (200, WAV)
    async with api.http.get(f"/api/v1/download/{job_id}", allow_redirects=False) as response:
        assert response.status == 302
    async with api.http.head(f"/api/v1/download/{job_id}") as response:
        assert (response.status, response.headers["Content-Length"]) == (200, str(len(WAV)))
    # Cancelling it once more neither fails nor takes it away.
    assert [(await delete(api, job_id, query))[0] for query in ("?keep=1", "")] == [200, 200]
    assert (await hand.record(job_id)).audio == audio


async def test_a_job_that_kept_nothing_has_no_download(api: Api) -> None:
    job_id = await api.generate()
    await delete(api, job_id, "")
    async with api.http.get(f"/api/v1/download/{job_id}") as response:
        assert response.status == 409
        assert "keep=1" in (await response.json())["detail"]


@pytest.mark.parametrize("status", [JobStatus.COMPLETED, JobStatus.FAILED])
async def test_a_finished_job_is_not_stopped(api: Api, hand: Hand, status: JobStatus) -> None:
    job_id = await processing(api, hand)
    await hand.change(job_id, **ending(status))
    before = await hand.record(job_id)
    code, problem = await delete(api, job_id)
    assert code == 409
    assert status.value in problem["detail"]
    assert await hand.record(job_id) == before


@pytest.mark.parametrize("job_id", ["gen_000000000000", "not-an-id"])
async def test_an_unknown_job_is_a_404(api: Api, job_id: str) -> None:
    assert (await delete(api, job_id))[0] == 404


@pytest.mark.parametrize("query", ["?keep=maybe", "?keep=", "?keep=2", "?keep=1&keep=0"])
async def test_an_invalid_query_is_refused_and_the_job_continues(api: Api, hand: Hand, query: str) -> None:
    job_id = await processing(api, hand)
    code, problem = await delete(api, job_id, query)
    assert code == 422
    assert problem["errors"][0]["field"] == "keep"
    record = await hand.record(job_id)
    assert (record.status, record.keep_requested) == (JobStatus.PROCESSING, False)


@pytest.mark.parametrize("query", ["?keep=0", "?keep=false", ""])
async def test_without_keep_a_running_job_is_cancelled_at_once(api: Api, hand: Hand, query: str) -> None:
    job_id = await processing(api, hand)
    assert (await delete(api, job_id, query))[0] == 200
    assert (await hand.record(job_id)).status is JobStatus.CANCELLED


async def test_concurrent_progress_does_not_lose_the_stop_request(
    api: Api, hand: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await processing(api, hand)
    update = Records.update
    raced: list[bool] = []

    async def late(self: Records, *arguments: Any) -> Any:
        if not raced and self is not hand.records:
            raced.append(True)
            await hand.change(job_id, progress=0.6)
        return await update(self, *arguments)

    monkeypatch.setattr(Records, "update", late)
    assert (await delete(api, job_id))[0] == 200
    record = await hand.record(job_id)
    assert (record.keep_requested, record.progress) == (True, 0.6)
    assert raced


async def test_the_cancel_command_supports_keep(api: Api, hand: Hand, capsys: pytest.CaptureFixture[str]) -> None:
    job_id = await processing(api, hand)
    await cancel_job(GatewayTarget(api.url), job_id, keep=True)
    assert capsys.readouterr().out == "Job cancelled successfully\n"
    assert (await hand.record(job_id)).keep_requested
    await cancel_job(GatewayTarget(api.url), job_id, keep=False)
    assert (await hand.record(job_id)).status is JobStatus.CANCELLED
