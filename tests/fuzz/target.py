"""What a fuzzer tries: a function that takes any bytes, and examples of what it is meant for."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple


class Target(NamedTuple):
    """`run` returns for every input: what is wrong with one is answered, and anything else that it raises is a find."""

    run: Callable[[bytes], object]
    seeds: Sequence[bytes]


def finish(work: Coroutine[Any, Any, None]) -> None:
    """Run what is a coroutine and waits for nothing."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")
