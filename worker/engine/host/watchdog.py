"""Notices that the engine hangs: its process lives, and nothing comes of a job in it any more."""

import asyncio
from collections.abc import Callable, Iterable

from worker.engine.host.generation import Generation

# Looks within the patience. Time counts in them: a worker that was frozen itself has looked once meanwhile, not long.
LOOKS = 20


async def until_hung(running: Callable[[], Iterable[Generation]], patience: float) -> list[Generation]:
    """Wait until nothing has come of one of the running jobs for so long.

    Args:
        running: the jobs in the engine now.
        patience: in seconds.

    Returns:
        Those that the engine may hang on: of them nothing has come for half that time at least.
    """
    quiet: dict[Generation, tuple[object, int]] = {}
    while True:
        await asyncio.sleep(patience / LOOKS)
        quiet = {each: _look(each, quiet.get(each)) for each in running()}
        if any(looks >= LOOKS for _, looks in quiet.values()):
            return [each for each, (_, looks) in quiet.items() if looks >= LOOKS / 2]


def _look(generation: Generation, before: tuple[object, int] | None) -> tuple[object, int]:
    """What there is of a job, and how many looks ago that was new."""
    if before is None or before[0] != generation.extent:
        return generation.extent, 0
    return before[0], before[1] + 1
