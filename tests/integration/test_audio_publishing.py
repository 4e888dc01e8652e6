"""Audio on NATS while it is generated."""

from pathlib import Path

import numpy as np

from shared import subjects
from shared.audio_chunk import AudioChunk, unpack_chunk
from tests.integration.jobs import stored_audio
from tests.integration.listener import listen
from tests.integration.system import System, eventually

RATE = 32_000


async def test_chunks_arrive_during_processing_and_equal_the_file(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    listener = await listen(system)
    job_id = await api.generate("slow", duration=1.6, sample_format="float32")
    await listener.until_chunks(job_id, 2)
    assert (await api.status(job_id))["status"] == "processing"
    assert job_id not in listener.terminal_events
    await api.until(job_id, "completed")
    listener.check_order(job_id)
    assert len(listener.chunks[job_id]) > 5
    assert {(piece.sample_rate, piece.channels, piece.attempt) for piece in listener.chunks[job_id]} == {(RATE, 1, 1)}
    assert np.array_equal(listener.audio(job_id), await stored_audio(api, job_id))


async def test_audio_that_an_engine_returns_whole_is_published_in_chunks(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    listener = await listen(system)
    job_id = await api.generate("tone", duration=30, sample_format="float32")
    await api.until(job_id, "completed")
    listener.check_order(job_id)
    assert len(listener.chunks[job_id]) == 9
    assert np.array_equal(listener.audio(job_id), await stored_audio(api, job_id))


async def test_all_chunks_are_published_before_the_terminal_event(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    listener = await listen(system)
    jobs = [await api.generate("tone", duration=5, seed=number) for number in range(6)]
    for job_id in jobs:
        await listener.until_ended(job_id)
        assert listener.chunks[job_id][-1].last


async def test_a_late_subscriber_gets_the_audio_from_the_beginning(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    listener = await listen(system)
    job_id = await api.generate("slow", duration=1.2)
    await listener.until_chunks(job_id, 3)
    js = (await system.nats()).jetstream()
    late = await js.subscribe(subjects.audio_subject(job_id), ordered_consumer=True)
    headers: list[AudioChunk] = []
    while not headers or not headers[-1].last:
        headers.append(unpack_chunk((await late.next_msg(10)).data)[0])
    await listener.until_chunks(job_id, len(headers))
    assert headers == listener.chunks[job_id]


async def test_no_chunks_follow_a_cancel(system: System) -> None:
    api, worker = await system.gateway(), await system.worker()
    listener = await listen(system)
    job_id = await api.generate("slow", duration=60)
    await listener.until_chunks(job_id, 2)
    assert await api.delete(job_id) == 200

    async def is_free() -> bool:
        return worker.worker.describe().busy == 0

    await eventually(is_free, "the slot is free")
    heard = list(listener.chunks[job_id])
    # What another job says afterwards has overtaken nothing.
    other = await api.generate("tone", duration=0.5)
    await listener.until_ended(other)
    assert listener.chunks[job_id] == heard
    assert not any(piece.last for piece in heard)


async def test_another_attempt_publishes_from_the_beginning(system: System, tmp_path: Path) -> None:
    api, _ = await system.gateway(), await system.worker(MAX_CONCURRENT_JOBS="1")
    listener = await listen(system)
    job_id = await api.generate(f"once {tmp_path / 'marker'}", duration=0.6, sample_format="float32")
    assert (await api.until(job_id, "completed"))["attempts"] == 2
    attempts = [piece.attempt for piece in listener.chunks[job_id]]
    assert (attempts[0], attempts[-1]) == (1, 2)
    assert [piece.seq for piece in listener.chunks[job_id] if piece.attempt == 2] == list(range(attempts.count(2)))
    assert not any(piece.last for piece in listener.chunks[job_id] if piece.attempt == 1)
    assert np.array_equal(listener.audio(job_id), await stored_audio(api, job_id))


async def test_a_failed_job_has_no_last_chunk(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    listener = await listen(system)
    job_id = await api.generate("snap", duration=0.6)
    status = await api.until(job_id, "failed")
    assert "string snapped" in status["error_message"]
    await listener.until_ended(job_id)
    assert [piece.last for piece in listener.chunks[job_id]] == [False] * 3
