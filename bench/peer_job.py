"""The job of `bench.peer_service`, in a module without imports that each process of RQ would repeat."""

import time


def make(duration: float) -> float:
    """Sleep for the duration, as the engine of `bench.backlog` does."""
    time.sleep(duration)
    return duration
