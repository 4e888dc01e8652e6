"""Measures how fast the cores read memory together."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

# More than any cache holds.
BYTES = 512 * 2**20


class ReadSweep:
    """Reads an array from one end to the other, each thread its own part."""

    def __init__(self, threads: int) -> None:
        self._parts = np.array_split(np.ones(BYTES // 4, np.int32), threads)
        self._pool = ThreadPoolExecutor(threads)

    def measure(self) -> float:
        """Bytes per second."""
        started = time.perf_counter()
        list(self._pool.map(np.max, self._parts))  # NumPy releases the interpreter's lock
        return BYTES / (time.perf_counter() - started)
