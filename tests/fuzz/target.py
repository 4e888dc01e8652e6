"""A fuzz target: a function that takes any bytes, and valid examples of its input."""

import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

# CPU seconds that one input may take.
LONGEST = 2.0


class Target(NamedTuple):
    """`run` returns for every input: it handles the expected errors, and any other exception is a finding."""

    run: Callable[[bytes], object]
    seeds: Sequence[bytes]

    def try_one(self, data: bytes) -> None:
        """Run one input and check its time. The fuzzer's own timeout ends one that never returns."""
        began = time.process_time()
        self.run(data)
        assert time.process_time() - began < LONGEST, "it takes too long"


def finish(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")
