"""What waits for one WebSocket client."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.outbox import LIMIT, Outbox, OutboxFullError

# A frame, and the job whose earlier progress it replaces, if any.
Puts = list[tuple[int, str | None]]


async def drain(outbox: Outbox, count: int) -> list[bytes]:
    """Exactly `count` frames, and then none."""
    frames = [await asyncio.wait_for(outbox.get(), 1) for _ in range(count)]
    waiting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    return frames


@given(st.lists(st.tuples(st.integers(0, 99), st.none() | st.sampled_from(["a", "b", "c"])), max_size=40))
def test_order_is_kept_and_only_the_newest_progress_of_a_job_waits(puts: Puts) -> None:
    expected = [
        b"%d" % frame
        for position, (frame, job) in enumerate(puts)
        if job is None or all(later != job for _, later in puts[position + 1 :])
    ]

    async def run() -> None:
        outbox = Outbox()
        for frame, job in puts:
            outbox.put(b"%d" % frame, job)
        assert await drain(outbox, len(expected)) == expected

    asyncio.run(run())


async def test_get_waits_for_a_frame() -> None:
    outbox = Outbox()
    waiting = asyncio.create_task(outbox.get())
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.put(b"x")
    assert await asyncio.wait_for(waiting, 1) == b"x"


async def test_progress_that_was_sent_is_not_replaced() -> None:
    outbox = Outbox()
    outbox.put(b"1", "job")
    assert await outbox.get() == b"1"
    outbox.put(b"2", "job")
    assert await drain(outbox, 1) == [b"2"]


async def test_as_many_frames_as_allowed_are_kept() -> None:
    outbox = Outbox()
    for number in range(LIMIT):
        outbox.put(b"%d" % number)
    assert await drain(outbox, LIMIT) == [b"%d" % number for number in range(LIMIT)]


async def test_one_frame_too_many_is_told_to_the_reader_and_not_to_the_writer() -> None:
    outbox = Outbox()
    for number in range(LIMIT + 1):
        outbox.put(b"%d" % number)
    with pytest.raises(OutboxFullError):
        await outbox.get()


async def test_progress_of_one_job_never_fills_the_box() -> None:
    outbox = Outbox()
    for number in range(10 * LIMIT):
        outbox.put(b"%d" % number, "job")
    assert await drain(outbox, 1) == [b"%d" % (10 * LIMIT - 1)]
