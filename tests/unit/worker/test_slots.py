"""The slots of an engine: one that a job waits for goes to no new job."""

import asyncio

import pytest

from worker.slots import Slot, SlotCount


async def hold(slot: Slot, until: asyncio.Event) -> None:
    async with slot.taken():
        await until.wait()


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def counted(total: int) -> SlotCount:
    return SlotCount(lambda: total, lambda: None)


async def test_as_many_jobs_as_slots_are_taken() -> None:
    slots = counted(2)
    first, _ = slots.take(), slots.take()
    assert not slots.has_free
    first.release()
    first.release()
    assert (slots.has_free, slots.taken) == (True, 1)


async def test_a_job_uses_the_engine_until_it_leaves_its_slot() -> None:
    slots = counted(1)
    job = slots.take()
    job.release()
    assert (slots.taken, slots.users) == (0, 1)
    job.leave()
    job.leave()
    assert (slots.taken, slots.users) == (0, 0)
    assert slots.has_free


async def test_the_first_generation_uses_the_slot_that_the_job_came_with() -> None:
    slots = counted(1)
    async with slots.take().taken():
        assert slots.taken == 1
    assert slots.taken == 0


async def test_a_job_that_waits_gets_the_next_slot_before_any_new_job() -> None:
    slots, done = counted(1), asyncio.Event()
    again = slots.take()
    again.release()
    other = slots.take()
    waiting = asyncio.create_task(hold(again, done))
    await turns()
    assert again.is_awaited
    other.release()
    assert not slots.has_free
    await turns()
    assert (again.is_awaited, slots.taken) == (False, 1)
    done.set()
    await waiting
    assert slots.has_free


async def test_several_waiting_jobs_never_have_more_slots_than_there_are() -> None:
    slots, done = counted(2), asyncio.Event()
    jobs = [slots.take() for _ in range(2)]
    others = [Slot(slots, is_taken=False) for _ in range(4)]
    waiting = [asyncio.create_task(hold(each, done)) for each in others]
    await turns()
    jobs[0].release()
    await turns()
    assert (slots.taken, sum(each.is_awaited for each in others)) == (2, 3)
    jobs[1].release()
    done.set()
    await asyncio.gather(*waiting)
    assert slots.taken == 0


async def test_a_job_that_stops_waiting_keeps_no_slot() -> None:
    slots = counted(1)
    again = Slot(slots, is_taken=False)
    other = slots.take()
    waiting = asyncio.create_task(hold(again, asyncio.Event()))
    await turns()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    other.release()
    assert (slots.has_free, again.is_awaited, slots.taken) == (True, False, 0)
