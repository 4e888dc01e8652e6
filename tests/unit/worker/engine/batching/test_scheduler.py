"""Fairness, cancellation at every state, and no slot that is ever lost."""

import random

import pytest

from worker.engine.batching.delay import DelayPattern
from worker.engine.batching.scheduler import PREFILL_CHUNK, Phase, Plan, Run, Scheduler
from worker.engine.batching.windows import Window, plan_windows

PATTERN = DelayPattern((0, 1, 2, 3))


def run_of(name: str, frames: int = 10, prompt: int = 0, windows: int = 1) -> Run[str]:
    return Run(name, [Window(prompt, frames)] * windows, guided=True)


def turn(scheduler: Scheduler[str]) -> tuple[Plan[str], list[Run[str]]]:
    """What the loop does, without a model."""
    while scheduler.can_admit:
        scheduler.admit()
    plan = scheduler.schedule()
    ended = scheduler.advance(plan)
    for run in ended:
        if run.is_last_window:
            scheduler.remove(run)
        else:
            scheduler.next_window(run)
    return plan, ended


def finish(scheduler: Scheduler[str]) -> list[str]:
    """The names, in the order in which they end."""
    order: list[str] = []
    while not scheduler.is_idle:
        _, ended = turn(scheduler)
        order += [run.request for run in ended if run.phase is Phase.DONE]
    return order


def test_a_request_takes_one_forward_a_step_and_three_for_the_delay() -> None:
    scheduler = Scheduler[str](1, PATTERN)
    run = run_of("a", frames=10)
    scheduler.add(run)
    finish(scheduler)
    assert run.steps == 10 + 3 == scheduler.turns(run)


def test_nobody_waits_for_another_to_end_while_a_slot_is_free() -> None:
    scheduler = Scheduler[str](2, PATTERN)
    long, short = run_of("long", 50), run_of("short", 5)
    scheduler.add(long)
    turn(scheduler)
    scheduler.add(short)
    plan, _ = turn(scheduler)
    assert plan.decode == [long, short]
    assert finish(scheduler) == ["short", "long"]


def test_slots_are_given_in_the_order_of_arrival_and_a_freed_one_at_once() -> None:
    scheduler = Scheduler[str](2, PATTERN)
    runs = [run_of(name, frames) for name, frames in (("a", 5), ("b", 9), ("c", 5), ("d", 5))]
    for run in runs:
        scheduler.add(run)
    while runs[0].phase is not Phase.DONE:
        turn(scheduler)
    plan, _ = turn(scheduler)
    assert runs[2] in plan.decode
    assert runs[2].slot == 0
    assert runs[3].phase is Phase.WAITING


def test_a_prefill_comes_in_stretches_between_the_steps_of_the_others() -> None:
    scheduler = Scheduler[str](3, PATTERN)
    decoding, first, second = run_of("d", 100), run_of("p", 300, 2 * PREFILL_CHUNK + 5), run_of("q", 300, PREFILL_CHUNK)
    for run in (decoding, first, second):
        scheduler.add(run)
    plans = [turn(scheduler)[0] for _ in range(5)]
    assert [(plan.prefill.request, len(plan.stretch)) for plan in plans if plan.prefill] == [
        ("p", PREFILL_CHUNK), ("q", PREFILL_CHUNK), ("p", PREFILL_CHUNK), ("p", 5),
    ]  # fmt: skip
    assert all(decoding in plan.decode for plan in plans)
    assert first in plans[4].decode
    assert first.position == 2 * PREFILL_CHUNK + 5 + 2


def test_a_window_that_follows_keeps_its_slot() -> None:
    scheduler = Scheduler[str](1, PATTERN)
    run, waiting = Run("a", plan_windows(100, 60), guided=True), run_of("b")
    scheduler.add(run)
    scheduler.add(waiting)
    while run.window == 0:
        turn(scheduler)
    assert (run.phase, run.slot, run.position) == (Phase.PREFILL, 0, 0)
    assert waiting.phase is Phase.WAITING
    assert finish(scheduler) == ["a", "b"]
    assert run.steps == scheduler.turns(run)


@pytest.mark.parametrize("phase", list(Phase))
def test_cancelling_frees_the_slot_whatever_the_request_does(phase: Phase) -> None:
    scheduler = Scheduler[str](1, PATTERN)
    run = run_of("a", 200, 2 * PREFILL_CHUNK if phase is Phase.PREFILL else 0)
    scheduler.add(run)
    if phase is not Phase.WAITING:
        turn(scheduler)
    if phase is Phase.DONE:
        finish(scheduler)
    assert run.phase is phase
    for _ in range(2):
        scheduler.remove(run)
        assert (run.phase, run.slot) == (Phase.DONE, -1)
    assert scheduler.is_idle
    scheduler.add(run_of("b"))
    assert scheduler.admit().slot == 0


def test_who_is_put_back_is_the_first_to_come_again() -> None:
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
    alive: list[Run[str]] = []
    for event in range(10_000):
        what = chance.random()
        if what < 0.05:
            windows = plan_windows(chance.randint(2, 60), 30)
            alive.append(Run(str(event), windows, chance.random() < 0.5))
            scheduler.add(alive[-1])
        elif what < 0.08 and alive:
            scheduler.remove(chance.choice(alive))
        elif what < 0.09 and scheduler.can_admit:
            scheduler.put_back(scheduler.admit())
        else:
            turn(scheduler)
        running = [run.slot for run in scheduler.running]
        assert len(set(running)) == len(running) <= slots
        assert all(0 <= slot < slots for slot in running)
    finish(scheduler)
    assert all(run.phase is Phase.DONE for run in alive)
    for index in range(slots):
        scheduler.add(run_of("last"))
        assert scheduler.admit().slot == index
