"""How an attempt ends, and in which order it writes that."""

import asyncio
from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from nats.aio.msg import Msg

from shared.audio_conditions import CONDITIONS, AudioConditions, AudioSource, checksum
from shared.bus import flush
from shared.messages import JobRecord, JobStatus
from shared.played_score import PlayedScore
from shared.storage import Upload
from tests.unit.worker.conftest import JOB_ID, Broker, MemoryStorage, ScriptedHost, free_slot, play
from worker.attempt import Attempt
from worker.delivery.spool import Spool
from worker.engine.host.engine_job import EngineDiedError, EngineJob
from worker.slots import SlotCount


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def host() -> ScriptedHost:
    return ScriptedHost()


async def start(broker: Broker, host: ScriptedHost, storage: MemoryStorage) -> Attempt:
    return Attempt(broker.bus, await broker.lease(), host, storage, Spool(""), free_slot())


async def ended(broker: Broker, host: ScriptedHost, storage: MemoryStorage) -> JobRecord:
    await (await start(broker, host, storage)).run()
    return (await broker.entry()).record


async def test_an_attempt_writes_the_record_then_the_event_then_acknowledges(
    broker: Broker, host: ScriptedHost, storage: MemoryStorage
) -> None:
    attempt, order = await start(broker, host, storage), list[str]()

    async def note(message: Msg) -> None:
        if message.subject.startswith("$KV.") and b'"completed"' in message.data:
            order.append("record")
        elif message.subject == f"music.events.{JOB_ID}.completed":
            order.append("event")
        elif message.subject.startswith("$JS.ACK.") and message.data in (b"", b"+ACK"):
            order.append("acknowledgement")

    for subject in ("$KV.>", "music.events.>", "$JS.ACK.>"):
        await broker.bus.client.subscribe(subject, cb=note)
    await attempt.run()
    await broker.until_queue_is_empty()
    await flush(broker.bus.client)
    assert order == ["record", "event", "acknowledgement"]
    record = (await broker.entry()).record
    assert record.status is JobStatus.COMPLETED
    assert record.audio is not None
    assert set(storage.files) == {file.key for file in record.files}


async def test_a_job_that_is_being_stored_leaves_the_engine_to_other_models(
    broker: Broker, host: ScriptedHost, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    slots, users, put = SlotCount(lambda: 1, lambda: None), list[int](), storage._put

    async def note(*arguments: Any) -> Upload:
        users.append(slots.users)
        return await put(*arguments)

    monkeypatch.setattr(storage, "_put", note)
    await Attempt(broker.bus, await broker.lease(), host, storage, Spool(""), slots.take()).run()
    assert (await broker.entry()).record.status is JobStatus.COMPLETED
    assert set(users) == {0}


async def test_silent_audio_fails_the_job(broker: Broker, host: ScriptedHost, storage: MemoryStorage) -> None:
    host.script = partial(play, volume=0.0)
    record = await ended(broker, host, storage)
    assert record.status is JobStatus.FAILED
    assert "only silence" in str(record.error_message)
    assert storage.files == {}
    await broker.until_queue_is_empty()


@pytest.mark.parametrize(("suspects", "attempts", "quarantined"), [(0, 0, False), (1, 1, False), (3, 0, True)])
async def test_a_crash_counts_for_a_single_job_and_quarantines_several(
    broker: Broker, host: ScriptedHost, storage: MemoryStorage, suspects: int, attempts: int, quarantined: bool
) -> None:
    async def die(job: EngineJob) -> None:
        raise EngineDiedError("The engine died.", suspects)

    host.script = die
    record = await ended(broker, host, storage)
    assert record.status is JobStatus.QUEUED
    assert (record.attempts, record.quarantined) == (attempts, quarantined)


async def test_a_job_goes_back_to_the_queue_while_the_store_is_away(
    broker: Broker, host: ScriptedHost, storage: MemoryStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.attempt.STORE_TIMEOUT", 0.0)
    storage.is_away = True
    record = await ended(broker, host, storage)
    assert (record.status, record.attempts) == (JobStatus.QUEUED, 1)
    assert record.message == "The audio could not be stored, trying again: S3 is away."


EXCERPT = AudioConditions(
    continue_from=AudioSource(audio_id="aud_abc123456789", sha256=checksum(b"excerpt")),
)


@pytest.mark.parametrize("made_of", [{"audio": EXCERPT}, {"score": PlayedScore(sha256=checksum(b"notes"))}])
async def test_a_job_whose_audio_or_score_cannot_be_read_yet_goes_back_uncounted(
    broker: Broker, host: ScriptedHost, storage: MemoryStorage, made_of: dict[str, Any]
) -> None:
    broker.recipe = replace(broker.recipe, **made_of)
    assert host.info is not None
    host.info = replace(host.info, conditions=CONDITIONS, outputs=("midi",))
    storage.is_away = True
    record = await ended(broker, host, storage)
    assert (record.status, record.attempts) == (JobStatus.QUEUED, 0)
    assert record.message.startswith("Trying again: The audio or score that the job is made of cannot be read")


async def test_a_stop_of_the_worker_hands_the_job_back_uncounted(
    broker: Broker, host: ScriptedHost, storage: MemoryStorage
) -> None:
    started = asyncio.Event()

    async def hang(job: EngineJob) -> None:
        started.set()
        await asyncio.Event().wait()

    host.script = hang
    attempt = await start(broker, host, storage)
    running = asyncio.create_task(attempt.run())
    await started.wait()
    attempt.stopping = True
    running.cancel()
    await running
    record = (await broker.entry()).record
    assert (record.status, record.attempts, record.claims) == (JobStatus.QUEUED, 0, 1)
