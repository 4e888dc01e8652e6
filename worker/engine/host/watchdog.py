"""Detects an engine that hangs: its process is alive, but a job in it makes no progress."""

import asyncio
from collections.abc import Callable, Iterable

from worker.engine.host.engine_job import EngineJob

# Checks within the timeout. Time is counted in checks: a worker that was frozen itself has missed one check, no more.
CHECKS = 20


async def until_hung(running: Callable[[], Iterable[EngineJob]], hang_timeout: float) -> list[EngineJob]:
    """Wait until one of the running jobs has made no progress for `hang_timeout` seconds.

    Args:
        running: returns the jobs that are in the engine now.
        hang_timeout: in seconds.

    Returns:
        The jobs that may have caused it: those without progress for at least half that time.
    """
    idle: dict[EngineJob, tuple[object, int]] = {}
    while True:
        await asyncio.sleep(hang_timeout / CHECKS)
        idle = {each: _check(each, idle.get(each)) for each in running()}
        if any(checks >= CHECKS for _, checks in idle.values()):
            return [each for each, (_, checks) in idle.items() if checks >= CHECKS / 2]


def _check(job: EngineJob, before: tuple[object, int] | None) -> tuple[object, int]:
    """The job's progress marker, and the number of checks since it last changed."""
    if before is None or before[0] != job.progress_marker:
        return job.progress_marker, 0
    return before[0], before[1] + 1
