"""What a fuzzer tries: a function that takes any bytes, and examples of what it is meant for."""

import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple

# Seconds of a processor that one input may take.
LONGEST = 2.0


class Target(NamedTuple):
    """`run` returns for every input: what is wrong with one is answered, and anything else that it raises is a find."""

    run: Callable[[bytes], object]
    seeds: Sequence[bytes]

    def try_one(self, data: bytes) -> None:
        """Run it within bounds. What never returns is ended by whoever tries."""
        began = time.process_time()
        self.run(data)
        assert time.process_time() - began < LONGEST, "it takes too long"


def finish(work: Coroutine[Any, Any, None]) -> None:
    """Run what is a coroutine and waits for nothing."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")
