"""What expires and what stays, on a real store; the test sets the broker's time."""

import asyncio
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import subjects
from shared.errors import UnavailableError
from shared.files import audio_key
from shared.job_id import new_job_id
from shared.lifecycle import end
from shared.messages import JobStatus
from shared.records import Entry, Records
from shared.storage import Storage, StoredObject
from shared.topology import RECORDS, RETENTION_TURNS
from shared.uploaded_files import upload_key, uploads_of
from tests.integration.jobs import DAY, HOUR, download_status, later, plant_finished, still_stored, store
from tests.integration.system import Api, System, eventually
from worker.retention.expiry import Expiry
from worker.retention.retention import RecordSummary, Retention

FAILED: dict[str, Any] = {
    "status": JobStatus.FAILED,
    "audio": None,
    "outputs": (),
    "error_message": "no such chord",
}


async def test_audio_unused_for_a_week_expires_and_downloads_are_a_410(system: System) -> None:
    api, retention = await system.gateway(), await system.retention()
    job_id = await plant_finished(system)
    await retention.clean(later(6 * DAY))
    assert (await api.status(job_id))["audio_expired"] is False
    assert await download_status(api, job_id) == 200
    await retention.clean(later(8 * DAY))
    assert await still_stored(system, job_id) == []
    status = await eventually(lambda: expired(api, job_id), "the gateway knows")
    assert (status["status"], status["audio_url"], status["outputs"]) == ("completed", None, [])
    for method in ("GET", "HEAD"):
        async with api.http.request(method, f"/api/v1/download/{job_id}") as response:
            assert response.status == 410
    async with api.http.get(f"/api/v1/download/{job_id}/audio.mid") as response:
        assert response.status == 410
        problem = await response.json()
    assert "POST its recipe to /api/v1/generate" in problem["detail"]
    async with api.http.post("/api/v1/generate", json=problem["recipe"]) as response:
        again = await api.status((await response.json())["job_id"])
    assert again["recipe"] == status["recipe"]
    await retention.clean(later(20 * DAY))
    assert await download_status(api, job_id) == 410


async def expired(api: Api, job_id: str) -> dict[str, Any] | None:
    status = await api.status(job_id)
    return status if status["audio_expired"] else None


async def test_over_budget_the_least_recently_used_audio_expires(system: System) -> None:
    # Each has 100 bytes of audio and 20 in further files.
    api, retention = await system.gateway(), await system.retention(MAX_AUDIO_BYTES="335")
    first, second, third = [await plant_finished(system) for _ in range(3)]
    assert await download_status(api, first) == 200
    await retention.clean(later(HOUR))
    assert await still_stored(system, first, second, third) == [first, third]
    assert [await download_status(api, each) for each in (first, second, third)] == [200, 410, 200]


async def test_recently_used_audio_stays_whatever_the_budget(system: System) -> None:
    api, retention = await system.gateway(), await system.retention(MAX_AUDIO_BYTES="1", MAX_AUDIO_DAYS="0.001")
    job_id = await plant_finished(system)
    assert await download_status(api, job_id) == 200
    await retention.clean(later(29 * timedelta(minutes=1)))
    assert await still_stored(system, job_id) == [job_id]


async def test_files_of_running_jobs_are_never_removed(system: System) -> None:
    retention = await system.retention(MAX_AUDIO_BYTES="1")
    states = (JobStatus.QUEUED, JobStatus.PROCESSING)
    jobs = [await plant_finished(system, status=status, audio=None, outputs=()) for status in states]
    await retention.clean(later(13 * DAY))
    assert await still_stored(system, *jobs) == jobs


async def test_orphaned_files_go_after_an_hour_and_foreign_ones_stay(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.storage.PAGE", 3)
    retention, storage = await system.retention(), system.storage()
    orphans = [new_job_id() for _ in range(4)]
    for job_id in orphans:
        await store(storage, audio_key(job_id), b"RIFF")
    failed = await plant_finished(system, **FAILED)
    kept = await plant_finished(system)
    foreign = "jobs/foreign/file.txt"
    await store(storage, foreign, b"text")
    await retention.clean(later(timedelta()))
    assert await still_stored(system, *orphans, failed, kept, "foreign") == [*orphans, failed, kept, "foreign"]
    await retention.clean(later(2 * HOUR))
    assert await still_stored(system, *orphans, failed, kept, "foreign") == [kept, "foreign"]
    await asyncio.to_thread(storage._client.remove_object, storage.bucket, foreign)


async def test_an_unreadable_record_keeps_its_files(system: System) -> None:
    retention, job_id = await system.retention(), await plant_finished(system)
    await (await system.records()).bucket.put(job_id, b"\xff")
    await retention.clean(later(8 * DAY))
    assert await still_stored(system, job_id) == [job_id]


class Hesitant(Retention):
    """Downloads come between its decision and its deed."""

    async def _expire(self, records: Records, known: dict[str, RecordSummary], expiry: Expiry) -> None:
        assert await download_status(self.api, expiry.job_id) == 200
        await super()._expire(records, known, expiry)

    api: Api


async def test_a_download_before_the_expiry_is_written_keeps_the_audio(system: System) -> None:
    api, plain = await system.gateway(), await system.retention()
    retention = Hesitant(system.settings("worker"), plain._bus, plain._storage)
    retention.api = api
    job_id = await plant_finished(system)
    await retention.clean(later(8 * DAY))
    assert await still_stored(system, job_id) == [job_id]
    assert await download_status(api, job_id) == 200


async def test_a_lagging_gateway_shares_no_expiring_audio(system: System) -> None:
    api, retention = await system.gateway(), await system.retention()
    job_id = await plant_finished(system)
    await api.status(job_id)
    await api.services.index.stop_feed()
    await retention.clean(later(8 * DAY))
    assert (await api.status(job_id))["audio_expired"] is False
    assert await download_status(api, job_id) == 410


async def test_downloads_renew_a_record_rarely_and_publish_no_event(system: System) -> None:
    api, records = await system.gateway(), await system.records()
    job_id = await plant_finished(system)
    before = await records.get(job_id)
    assert before is not None
    for _ in range(3):
        assert await download_status(api, job_id) == 200
    after = await records.get(job_id)
    assert after is not None
    assert after == Entry(after.record, before.revision + 1)
    async with api.http.ws_connect(f"/ws?job_id={job_id}&after_seq=1") as socket:
        state = json.loads((await socket.receive()).data)
    assert (state["type"], state["seq"]) == ("completed", before.revision)


async def test_files_that_could_not_be_removed_go_in_the_next_run(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    retention, job_id = await system.retention(), await plant_finished(system)

    async def refuse(storage: Storage, job_id: str) -> None:
        raise UnavailableError("S3 is away")

    with monkeypatch.context() as patch:
        patch.setattr(Storage, "remove_job", refuse)
        with pytest.raises(UnavailableError):
            await retention.clean(later(8 * DAY))
    assert await still_stored(system, job_id) == [job_id]
    await retention.clean(later(8 * DAY))
    assert await still_stored(system, job_id) == []


async def test_one_worker_at_a_time_runs_retention(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RETENTION_TURNS, "ttl", 0.5)
    first, second = await system.retention(), await system.retention()
    taken = await asyncio.gather(first.acquire_turn(), second.acquire_turn())
    assert [moment is None for moment in sorted(taken, key=str)] == [False, True]
    moment = await eventually(second.acquire_turn, "the next turn")
    assert abs(moment - datetime.now(UTC)) < HOUR


async def test_a_worker_runs_retention_by_itself_and_continues_after_errors(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.retention.retention.POLL_INTERVAL", 0.01)
    monkeypatch.setattr("worker.retention.retention.UNREFERENCED_GRACE", -HOUR)
    monkeypatch.setattr(RETENTION_TURNS, "ttl", 0.1)
    retention, orphan = await system.retention(), new_job_id()
    await store(system.storage(), audio_key(orphan), b"RIFF")
    look, refusals = Storage.page, [UnavailableError("S3 is away")]

    async def refuse_once(storage: Storage, after: str) -> list[StoredObject]:
        if refusals:
            raise refusals.pop()
        return await look(storage, after)

    monkeypatch.setattr(Storage, "page", refuse_once)
    running = asyncio.create_task(retention.run())

    async def gone() -> bool:
        return await still_stored(system, orphan) == []

    await eventually(gone, "the orphan is removed")
    await end((running,))


async def test_excess_records_are_removed_and_every_gateway_forgets_them(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.retention.retention.KEPT_RECORDS", 2)
    api, retention = await system.gateway(), await system.retention()
    jobs = [await plant_finished(system) for _ in range(3)]
    waiting = await plant_finished(system, status=JobStatus.QUEUED, audio=None, outputs=())
    await retention.clean(later(2 * HOUR))

    async def listed() -> bool:
        async with api.http.get("/api/v1/jobs") as response:
            listing = await response.json()
        return {job["job_id"] for job in listing["jobs"]} == {jobs[2], waiting}

    await eventually(listed, "two are left")
    assert await still_stored(system, *jobs, waiting) == [jobs[2], waiting]


async def test_records_without_audio_go_before_older_ones_with_audio(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.retention.retention.KEPT_RECORDS", 2)
    retention = await system.retention()
    heard = [await plant_finished(system) for _ in range(2)]
    failed = await plant_finished(system, **FAILED)
    await retention.clean(later(2 * HOUR))
    assert await system.recorded() == heard
    assert failed not in heard


async def test_a_key_with_too_many_records_loses_its_own_oldest(system: System) -> None:
    retention = await system.retention(KEY_RECORDS="4")  # of which three stay
    shared, *jobs = [await plant_finished(system, owner="daw") for _ in range(3)]
    other = await plant_finished(system, owner="web")
    answers = [await plant_finished(system, owner="daw", source=shared) for _ in range(2)]
    await retention.clean(later(2 * HOUR))  # all count for the day
    assert await still_stored(system, shared, *jobs, other) == [shared, *jobs, other]
    await retention.clean(later(25 * HOUR))
    assert await still_stored(system, shared, *jobs, other) == [shared, other]
    records = await system.records()
    kept = [job_id for job_id in (shared, *jobs, other, *answers) if await records.get(job_id)]
    assert kept == [shared, other, *answers]


async def test_at_the_record_limit_no_job_is_accepted(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.jobs.acceptance.MAX_RECORDS", 1)
    api = await system.gateway()
    await api.generate()
    async with api.http.post("/api/v1/generate", json={"prompt": "one too many"}) as response:
        assert response.status == 503
        assert "on record" in (await response.json())["detail"]


async def test_records_outlive_the_audio(system: System) -> None:
    await system.records()
    bucket = await (await system.nats()).jetstream().key_value(subjects.JOBS_BUCKET)
    assert (await bucket.status()).ttl == RECORDS.ttl
    assert (RECORDS.ttl or 0) >= 2 * timedelta(days=system.settings("worker").max_audio_days).total_seconds()


async def test_a_large_file_is_stored_as_one_object(system: System) -> None:
    """Of an upload in parts that broke off, what had come would be in no listing, and stay."""
    storage, data = system.storage(), bytes(12_000_000)
    storage._client._create_multipart_upload = None  # type: ignore[assignment]
    key, _ = await store(storage, audio_key(job_id := new_job_id()), data)
    assert storage._client.stat_object(storage.bucket, key).size == len(data)
    await storage.remove_job(job_id)


async def test_uploaded_files_go_after_a_week(system: System) -> None:
    storage, retention = system.storage(), await system.retention()
    key = upload_key("retention", "aud_abc123456789")
    await storage.put_uploaded(key, io.BytesIO(b"x"), 1, "audio/wav", {})
    await retention.clean(later(6 * DAY))
    assert [each.key for each in await storage.page("", uploads_of("retention"))] == [key]
    await retention.clean(later(8 * DAY))
    assert await storage.page("", uploads_of("retention")) == []
