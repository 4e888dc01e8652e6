"""Records damaged by an operator or another program: each job continues, or fails with the reason."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from shared import subjects
from shared.job_id import new_job_id
from shared.messages import JobStatus
from shared.transitions import DAMAGED
from tests.integration.listener import listen
from tests.integration.system import Api, System, eventually
from tests.unit.gateway.samples import DAW, bearer

KINDS = {
    "empty": b"",
    "cut off": b'{"job_id":"gen_0',
    "no text": b"\xff\xfe",
    "null": b"null",
    "a list": b"[]",
    "another job's": None,
    "wrong type": {"attempts": "three"},
    "unknown status": {"status": "paused"},
    "no recipe": {"recipe": None},
    "a time without a zone": {"created_at": "2026-01-01T00:00:00"},
    "an error of a job that waits": {"error_message": "put back by hand"},
}
AUDIO = {"size": 44, "duration": 1.0, "sample_rate": 32000, "channels": 1}
# What decodes and is the record of no job that has completed.
IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "queued": {"status": "queued"},
    "running": {"status": "processing"},
    "failed without a reason": {"status": "failed", "audio": None},
    "no audio": {"audio": None},
    "waiting for another one": {"follows": True},
    "no key": {"audio": AUDIO | {"key": "", "sha256": "0" * 64}},
    "a key of another place": {"audio": AUDIO | {"key": "jobs/../../etc/passwd", "sha256": "0" * 64}},
    "a key with a NUL": {"audio": AUDIO | {"key": "jobs/gen_000000000000/a\0", "sha256": "0" * 64}},
    "a checksum with a line break": {"audio": AUDIO | {"key": "jobs/gen_000000000000/audio.wav", "sha256": "\r\n"}},
    "the year one": {"completed_at": "0001-01-01T00:00:00+14:00"},
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.jobs.record_repair.INTERVAL", 0.1)
    monkeypatch.setattr("worker.claim.TAKEOVER_DELAY", 0.3)


@pytest.fixture
def no_gateway_mends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.jobs.record_repair.INTERVAL", 1000.0)


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("musicgen_damaged_records_total", {"outcome": outcome}) or 0.0


async def damage(system: System, job_id: str, how: bytes | dict[str, Any] | None) -> None:
    """Put something into a record's place: bytes, the record with some fields changed, or that of another job."""
    bucket = (await system.records()).bucket
    if how is None:
        how = {"job_id": "gen_000000000000"}
    if isinstance(how, dict):
        how = json.dumps(json.loads((await bucket.get(job_id)).value or b"") | how).encode()
    await bucket.put(job_id, how)


async def readable(system: System, job_id: str) -> None:
    """Until the record is one again."""
    bucket = (await system.records()).bucket

    async def mended() -> bool:
        value = (await bucket.get(job_id)).value or b""
        return value.startswith(b'{"job_id":"%s"' % job_id.encode()) and b'"paused"' not in value

    await eventually(mended, "the record is put back")


async def messages(system: System) -> int:
    info = await (await system.nats()).jetstream().stream_info(subjects.JOBS_STREAM)
    return int(info.state.messages)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_queued_job_with_a_damaged_record_completes(system: System, kind: str) -> None:
    api, listener, before = await system.gateway(), await listen(system), counted("restored")
    job_id = await api.generate()
    await damage(system, job_id, KINDS[kind])
    await system.worker()
    assert (await api.until(job_id, "completed", "failed"))["status"] == "completed"
    await listener.until_ended(job_id)
    assert len(listener.terminal_events[job_id]) == 1
    assert counted("restored") > before
    assert api.services.index.damaged == {}


@pytest.mark.usefixtures("no_gateway_mends")
@pytest.mark.parametrize("kind", ["empty", "another job's", "unknown status"])
async def test_the_worker_restores_the_damaged_record_of_its_job(system: System, kind: str) -> None:
    api, listener = await system.gateway(), await listen(system)
    await system.worker()
    job_id = await api.generate("slow", duration=2.0)
    await api.until(job_id, "processing")
    await damage(system, job_id, KINDS[kind])
    status = await api.until(job_id, "completed", "failed")
    assert (status["status"], status["attempts"]) == ("completed", 1)
    await listener.until_ended(job_id)
    assert len(listener.terminal_events[job_id]) == 1


@pytest.mark.usefixtures("no_gateway_mends")
@pytest.mark.parametrize("kind", ["empty", "cut off", "another job's", "no recipe"])
async def test_a_job_whose_record_is_not_restored_fails_and_blocks_no_other(system: System, kind: str) -> None:
    api, listener = await system.gateway(), await listen(system)
    job_id = await api.generate()
    await damage(system, job_id, KINDS[kind])
    await system.worker(MAX_CONCURRENT_JOBS="1")
    other = await api.generate()
    await api.until(other, "completed")
    status = await api.until(job_id, "failed")
    assert status["error_message"] == DAMAGED
    await listener.until_ended(job_id)
    assert [end["error_message"] for end in listener.terminal_events[job_id]] == [DAMAGED]

    async def done() -> bool:
        return await messages(system) == 0

    await eventually(done, "the message is gone")


@pytest.mark.usefixtures("no_gateway_mends")
@pytest.mark.parametrize("how", [{"status": "paused"}, None], ids=["its own", "another's"])
async def test_the_failure_reaches_the_key_that_owns_the_job(system: System, how: dict[str, Any] | None) -> None:
    api = await system.gateway(API_KEYS=f"daw:{DAW}")
    job_id = await api.generate(headers=bearer(DAW))
    await damage(system, job_id, how)
    await system.worker()

    async def ended() -> bool:
        record = api.services.index.record(job_id)
        return record is not None and record.status is JobStatus.FAILED

    await eventually(ended, "the gateway knows")
    async with api.http.get(f"/api/v1/status/{job_id}", headers=bearer(DAW)) as response:
        assert response.status == 200


async def test_an_impossible_edit_of_a_record_ends_the_job_with_the_reason(system: System) -> None:
    api = await system.gateway()
    job_id = await api.generate()
    await damage(system, job_id, {"expired_at": "2026-01-01T00:00:00Z"})
    await system.worker()
    assert (await api.until(job_id, "failed"))["error_message"] == DAMAGED


async def test_fields_of_a_newer_version_are_not_damage(system: System) -> None:
    api = await system.gateway()
    job_id = await api.generate()
    await damage(system, job_id, {"lane": "batch", "webhook": {"url": None}})
    await system.worker()
    await api.until(job_id, "completed")


async def test_a_restored_finished_job_keeps_its_audio_and_seq(system: System) -> None:
    api = await system.gateway()
    await system.worker()
    job_id = await api.generate()
    await api.until(job_id, "completed")
    before = await api.services.record_store.fetch(job_id)
    assert before is not None
    await damage(system, job_id, b"{}")
    await readable(system, job_id)
    after = await (await system.records()).get(job_id)
    assert after is not None
    assert (after.record.audio, after.record.seq) == (before.record.audio, before.revision)
    assert len(await api.download(job_id)) > 44


@pytest.mark.parametrize("kind", IMPOSSIBLE)
async def test_an_invalid_record_of_a_completed_job_is_restored(system: System, kind: str) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate()
    await api.until(job_id, "completed")
    before = await (await system.records()).get(job_id)
    assert before is not None
    await damage(system, job_id, IMPOSSIBLE[kind])

    async def restored() -> bool:
        entry = api.services.index.entry(job_id)
        return entry is not None and entry.revision >= before.revision + 2 and not api.services.index.damaged

    await eventually(restored, "the gateway puts its copy back")
    assert (await api.status(job_id))["status"] == "completed"
    assert len(await api.download(job_id)) > 44


async def test_a_job_whose_record_is_damaged_repeatedly_fails(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.jobs.record_repair.RESTORES", 2)
    api, listener = await system.gateway(), await listen(system)
    job_id = await api.generate()
    for _ in range(3):
        await damage(system, job_id, {"status": "paused"})
        await readable(system, job_id)
    assert (await api.until(job_id, "failed"))["error_message"] == DAMAGED
    await listener.until_ended(job_id)


async def test_an_unknown_damaged_record_is_a_404_and_is_counted(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    job_id, before = new_job_id(), counted("left")
    await (await system.records()).bucket.put(job_id, b"{}")
    api = await system.gateway()

    async def told() -> bool:
        return counted("left") == before + 1

    await eventually(told, "it is counted")
    assert f"nats kv del music_jobs {job_id}" in caplog.text
    async with api.http.get(f"/api/v1/status/{job_id}") as response:
        assert response.status == 404
    assert await api.delete(job_id) == 404
    for after in ("", ', "after_seq": 0'):
        async with api.http.ws_connect("/ws") as socket:
            await socket.send_str(f'{{"type": "subscribe", "job_id": "{job_id}"{after}}}')
            assert (await socket.receive_json(timeout=10))["type"] == "error"
    await (await system.records()).bucket.delete(job_id)

    async def forgotten() -> bool:
        return api.services.index.damaged == {}

    await eventually(forgotten, "the operator has removed it")
    assert counted("left") == before + 1


@pytest.mark.usefixtures("no_gateway_mends")
async def test_a_damaged_record_does_not_block_the_reconciler(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.jobs.reconciler.STALL_TIME", 0.0)
    api = await system.gateway()
    damaged, other = await api.generate(), await api.generate()
    await (await system.nats()).jetstream().purge_stream(subjects.JOBS_STREAM)
    await damage(system, damaged, b"{}")

    async def known() -> bool:
        return damaged in api.services.index.damaged

    await eventually(known, "the gateway knows")
    await api.services.reconciler.reconcile()
    await system.worker()
    await api.until(other, "completed")


@pytest.mark.usefixtures("no_gateway_mends")
async def test_a_published_terminal_event_is_not_followed_by_another(system: System) -> None:
    """Its worker died between the event and the acknowledgement, and then the record was damaged."""
    api, listener = await system.gateway(), await listen(system)
    await system.worker()
    job_id = await api.generate()
    await listener.until_ended(job_id)
    await damage(system, job_id, b"{}")
    await publish_again(system, api, job_id)

    async def taken() -> bool:
        return await messages(system) == 0

    await eventually(taken, "the message is taken from the queue")
    assert [end["type"] for end in listener.terminal_events[job_id]] == ["completed"]
    assert (await (await system.records()).bucket.get(job_id)).value == b"{}"


async def publish_again(system: System, api: Api, job_id: str) -> None:
    record = api.services.index.record(job_id)
    assert record is not None
    body = {"job_id": job_id, "recipe": record.recipe, "created_at": datetime.now(UTC)}
    js = (await system.nats()).jetstream()
    await js.publish(subjects.job_subject(record.recipe.model), msgspec.json.encode(body))
