"""Measures how much a running batch slows down when one more request joins it."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from bench.contestants import Batching

# When the new request joins, and its length, as shares of the running pieces' length.
LATER, SHORTER = 0.4, 0.4
TIMEOUT = 600.0


class Join(NamedTuple):
    """Milliseconds between steps: medians before and after the join, and the maximum around it."""

    ms_per_step_before: float
    ms_per_step_after: float
    longest_ms: float


def measure_join(engine: Batching, prompts: list[str], seconds: float) -> Join:
    """Run all but the last prompt for `seconds`, and let the last one join later."""
    *running, newcomer = prompts
    watch = engine.watch
    watch.reset()
    alarm = watch.alarm_at(int(LATER * seconds * watch.frame_rate))
    with ThreadPoolExecutor(len(prompts)) as pool:
        futures = [pool.submit(engine.make, prompt, seconds) for prompt in running]
        alarm.wait(TIMEOUT)
        asked = len(watch.turns)
        futures.append(pool.submit(engine.make, newcomer, SHORTER * seconds))
    for future in futures:
        future.result()
    return _join(engine, len(running), asked)


def _join(engine: Batching, running: int, asked: int) -> Join:
    """`asked` is the number of turns before the new request was submitted."""
    turns = engine.watch.turns
    joined = next(index for index, turn in enumerate(turns) if turn.running > running)
    around = turns[asked - 1 : joined + 2]
    longest = max(after.began - before.began for before, after in pairwise(around))
    before, after = (median(engine.watch.intervals(each)) for each in (running, running + 1))
    return Join(*(round(value * 1000, 2) for value in (before, after, longest)))
