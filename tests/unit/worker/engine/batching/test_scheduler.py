"""Fairness, cancellation in every state, and no lost slots."""

import random

import pytest

from worker.engine.batching.layout import DelayPattern, Window, plan_windows
from worker.engine.batching.scheduler import PREFILL_CHUNK, Phase, ScheduledRequest, Scheduler, StepPlan

PATTERN = DelayPattern((0, 1, 2, 3))


def run_of(name: str, frames: int = 10, prompt: int = 0, windows: int = 1) -> ScheduledRequest[str]:
    return ScheduledRequest(name, [Window(prompt, frames)] * windows, guided=True)


def iterate(scheduler: Scheduler[str]) -> tuple[StepPlan[str], list[ScheduledRequest[str]]]:
    """One iteration of the loop, without a model."""
    while scheduler.can_admit:
        scheduler.admit()
    plan = scheduler.schedule()
    ended = scheduler.advance(plan)
    for entry in ended:
        if entry.is_last_window:
            scheduler.remove(entry)
        else:
            scheduler.next_window(entry)
    return plan, ended


def finish(scheduler: Scheduler[str]) -> list[str]:
    """Run to the end; the names in the order in which they finish."""
    order: list[str] = []
    while not scheduler.is_idle:
        _, ended = iterate(scheduler)
        order += [entry.request for entry in ended if entry.phase is Phase.DONE]
    return order


def test_request_takes_one_step_per_frame_plus_the_delay() -> None:
    scheduler = Scheduler[str](1, PATTERN)
    entry = run_of("a", frames=10)
    scheduler.add(entry)
    finish(scheduler)
    assert entry.steps == 10 + 3 == scheduler.total_steps(entry)


def test_request_joins_at_once_while_a_slot_is_free() -> None:
    scheduler = Scheduler[str](2, PATTERN)
    long, short = run_of("long", 50), run_of("short", 5)
    scheduler.add(long)
    iterate(scheduler)
    scheduler.add(short)
    plan, _ = iterate(scheduler)
    assert plan.decode == [long, short]
    assert finish(scheduler) == ["short", "long"]


def test_slots_are_assigned_in_order_and_reused_at_once() -> None:
    scheduler = Scheduler[str](2, PATTERN)
    batch = [run_of(name, frames) for name, frames in (("a", 5), ("b", 9), ("c", 5), ("d", 5))]
    for entry in batch:
        scheduler.add(entry)
    while batch[0].phase is not Phase.DONE:
        iterate(scheduler)
    plan, _ = iterate(scheduler)
    assert batch[2] in plan.decode
    assert batch[2].slot == 0
    assert batch[3].phase is Phase.WAITING


def test_prefill_is_chunked_between_steps_of_other_requests() -> None:
    scheduler = Scheduler[str](3, PATTERN)
    decoding, first, second = run_of("d", 100), run_of("p", 300, 2 * PREFILL_CHUNK + 5), run_of("q", 300, PREFILL_CHUNK)
    for entry in (decoding, first, second):
        scheduler.add(entry)
    plans = [iterate(scheduler)[0] for _ in range(5)]
    assert [(plan.prefill.request, len(plan.positions)) for plan in plans if plan.prefill] == [
        ("p", PREFILL_CHUNK), ("q", PREFILL_CHUNK), ("p", PREFILL_CHUNK), ("p", 5),
    ]  # fmt: skip
    assert all(decoding in plan.decode for plan in plans)
    assert first in plans[4].decode
    assert first.position == 2 * PREFILL_CHUNK + 5 + 2


def test_next_window_keeps_the_slot() -> None:
    scheduler = Scheduler[str](1, PATTERN)
    entry, waiting = ScheduledRequest("a", plan_windows(100, 60), guided=True), run_of("b")
    scheduler.add(entry)
    scheduler.add(waiting)
    while entry.window == 0:
        iterate(scheduler)
    assert (entry.phase, entry.slot, entry.position) == (Phase.PREFILL, 0, 0)
    assert waiting.phase is Phase.WAITING
    assert finish(scheduler) == ["a", "b"]
    assert entry.steps == scheduler.total_steps(entry)


@pytest.mark.parametrize("phase", list(Phase))
def test_removing_frees_the_slot_in_every_phase(phase: Phase) -> None:
    scheduler = Scheduler[str](1, PATTERN)
    entry = run_of("a", 200, 2 * PREFILL_CHUNK if phase is Phase.PREFILL else 0)
    scheduler.add(entry)
    if phase is not Phase.WAITING:
        iterate(scheduler)
    if phase is Phase.DONE:
        finish(scheduler)
    assert entry.phase is phase
    for _ in range(2):
        scheduler.remove(entry)
        assert (entry.phase, entry.slot) == (Phase.DONE, -1)
    assert scheduler.is_idle
    scheduler.add(run_of("b"))
    assert scheduler.admit().slot == 0


def test_request_put_back_is_admitted_first() -> None:
    scheduler = Scheduler[str](2, PATTERN)
    first, second = run_of("a"), run_of("b")
    scheduler.add(first)
    scheduler.add(second)
    scheduler.put_back(scheduler.admit())
    assert scheduler.admit() is first
    assert scheduler.admit() is second


@pytest.mark.parametrize("seed", range(4))
def test_no_slot_is_lost_in_ten_thousand_random_events(seed: int) -> None:
    chance, slots = random.Random(seed), 4
    scheduler = Scheduler[str](slots, PATTERN)
    alive: list[ScheduledRequest[str]] = []
    for event in range(10_000):
        what = chance.random()
        if what < 0.05:
            windows = plan_windows(chance.randint(2, 60), 30)
            alive.append(ScheduledRequest(str(event), windows, chance.random() < 0.5))
            scheduler.add(alive[-1])
        elif what < 0.08 and alive:
            scheduler.remove(chance.choice(alive))
        elif what < 0.09 and scheduler.can_admit:
            scheduler.put_back(scheduler.admit())
        else:
            iterate(scheduler)
        running = [entry.slot for entry in scheduler.running]
        assert len(set(running)) == len(running) <= slots
        assert all(0 <= slot < slots for slot in running)
    finish(scheduler)
    assert all(entry.phase is Phase.DONE for entry in alive)
    for index in range(slots):
        scheduler.add(run_of("last"))
        assert scheduler.admit().slot == index
