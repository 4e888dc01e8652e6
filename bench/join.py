"""What it costs those who run already when one more request joins them."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from bench.contestants import Batching

# Share of the running pieces' length after which the newcomer comes, and the length of the newcomer itself.
LATER, SHORTER = 0.4, 0.4
PATIENCE = 600.0


class Join(NamedTuple):
    """Milliseconds from one step to the next: medians before and after it, and the longest of those around it."""

    ms_per_step_before: float
    ms_per_step_after: float
    longest_ms: float


def measure_join(engine: Batching, prompts: list[str], seconds: float) -> Join:
    """Let the last of `prompts` join all others when they are some way into their `seconds`."""
    *running, newcomer = prompts
    watch = engine.watch
    watch.reset()
    alarm = watch.alarm_at(int(LATER * seconds * watch.frame_rate))
    with ThreadPoolExecutor(len(prompts)) as pool:
        futures = [pool.submit(engine.make, prompt, seconds) for prompt in running]
        alarm.wait(PATIENCE)
        asked = len(watch.turns)
        futures.append(pool.submit(engine.make, newcomer, SHORTER * seconds))
    for future in futures:
        future.result()
    return _join(engine, len(running), asked)


def _join(engine: Batching, running: int, asked: int) -> Join:
    """`asked` is how many turns there had been when the newcomer was told to come."""
    turns = engine.watch.turns
    joined = next(index for index, turn in enumerate(turns) if turn.running > running)
    around = turns[asked - 1 : joined + 2]
    longest = max(after.began - before.began for before, after in pairwise(around))
    before, after = (median(engine.watch.intervals(each)) for each in (running, running + 1))
    return Join(*(round(value * 1000, 2) for value in (before, after, longest)))
