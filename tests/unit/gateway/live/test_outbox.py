"""The send queue of a WebSocket client."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.live.outbox import MAX_AUDIO_BYTES, MAX_FRAMES, TOTAL_LIMIT, AudioFrame, Outbox, OutboxFullError
from gateway.memory_budget import MemoryBudget

T = TypeVar("T")

# Frames and their coalescing keys.
Puts = list[tuple[int, str | None]]


async def soon(awaitable: Awaitable[T]) -> T:
    async with asyncio.timeout(1):
        return await awaitable


async def drain(outbox: Outbox, count: int) -> list[bytes | AudioFrame]:
    """Get exactly `count` frames, and check that there are no more."""
    frames = [await soon(outbox.get()) for _ in range(count)]
    waiting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    return frames


@given(st.lists(st.tuples(st.integers(0, 99), st.none() | st.sampled_from(["a", "b", "c"])), max_size=40))
def test_frames_keep_their_order_and_progress_is_coalesced(puts: Puts) -> None:
    expected = [
        b"%d" % frame
        for position, (frame, job) in enumerate(puts)
        if job is None or all(later != job for _, later in puts[position + 1 :])
    ]

    async def run() -> None:
        outbox = Outbox(MemoryBudget(TOTAL_LIMIT))
        for frame, job in puts:
            outbox.put(b"%d" % frame, job)
        assert await drain(outbox, len(expected)) == expected

    asyncio.run(run())


async def test_get_waits_for_a_frame() -> None:
    outbox = Outbox(MemoryBudget(TOTAL_LIMIT))
    waiting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.put(b"x")
    assert await soon(waiting) == b"x"


async def test_sent_progress_is_not_replaced() -> None:
    outbox = Outbox(MemoryBudget(TOTAL_LIMIT))
    outbox.put(b"1", "job")
    assert await outbox.get() == b"1"
    outbox.put(b"2", "job")
    assert await drain(outbox, 1) == [b"2"]


async def test_the_outbox_holds_as_many_frames_as_allowed() -> None:
    outbox = Outbox(MemoryBudget(TOTAL_LIMIT))
    for number in range(MAX_FRAMES):
        outbox.put(b"%d" % number)
    assert await drain(outbox, MAX_FRAMES) == [b"%d" % number for number in range(MAX_FRAMES)]


async def test_a_full_outbox_fails_get_and_not_put() -> None:
    outbox = Outbox(MemoryBudget(TOTAL_LIMIT))
    for number in range(MAX_FRAMES + 1):
        outbox.put(b"%d" % number)
    with pytest.raises(OutboxFullError):
        await outbox.get()


async def test_progress_of_one_job_never_fills_the_outbox() -> None:
    outbox = Outbox(MemoryBudget(TOTAL_LIMIT))
    for number in range(10 * MAX_FRAMES):
        outbox.put(b"%d" % number, "job")
    assert await drain(outbox, 1) == [b"%d" % (10 * MAX_FRAMES - 1)]


async def test_text_precedes_audio_and_audio_keeps_its_order() -> None:
    outbox, pieces = (
        Outbox(MemoryBudget(TOTAL_LIMIT)),
        [AudioFrame("a", b"1"), AudioFrame("b", b"2"), AudioFrame("a", b"3")],
    )
    for piece in pieces:
        await outbox.put_audio(piece)
    outbox.put(b"event")
    assert await drain(outbox, 4) == [b"event", *pieces]


async def test_audio_over_the_limit_waits_for_space() -> None:
    outbox, half = Outbox(MemoryBudget(TOTAL_LIMIT)), AudioFrame("a", b"x" * (MAX_AUDIO_BYTES // 2))
    await outbox.put_audio(half)
    await outbox.put_audio(half)
    waiting = asyncio.create_task(outbox.put_audio(half))
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await outbox.get() is half
    await soon(waiting)
    assert await drain(outbox, 2) == [half, half]


async def test_a_frame_larger_than_the_limit_is_sent_alone() -> None:
    outbox, huge = Outbox(MemoryBudget(TOTAL_LIMIT)), AudioFrame("a", b"x" * (MAX_AUDIO_BYTES + 1))
    await outbox.put_audio(huge)
    waiting = asyncio.create_task(outbox.put_audio(AudioFrame("b", b"1")))
    assert await soon(outbox.get()) is huge
    await soon(waiting)
    assert await drain(outbox, 1) == [AudioFrame("b", b"1")]


async def test_dropped_audio_is_not_sent_and_frees_space() -> None:
    outbox, half = Outbox(MemoryBudget(TOTAL_LIMIT)), b"x" * (MAX_AUDIO_BYTES // 2)
    await outbox.put_audio(AudioFrame("a", half))
    await outbox.put_audio(AudioFrame("b", half))
    waiting = asyncio.create_task(outbox.put_audio(AudioFrame("b", half)))
    await asyncio.sleep(0)
    outbox.drop_audio("a")
    await soon(waiting)
    assert await drain(outbox, 2) == [AudioFrame("b", half), AudioFrame("b", half)]
    await outbox.put_audio(AudioFrame("b", half))
    outbox.drop_audio("b")
    assert await drain(outbox, 0) == []
