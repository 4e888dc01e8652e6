"""Doing something again while NATS or S3 is away."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from shared.errors import UnavailableError

T = TypeVar("T")


async def patiently(
    action: Callable[[], Awaitable[T]], seconds: float, waiting: Callable[[], Awaitable[None]] | None = None
) -> T:
    """Do it, and while a part is away do it again.

    Args:
        action: doing it twice must do no harm.
        seconds: after which it is given up.
        waiting: called before each repetition.

    Raises:
        UnavailableError: the last one.
    """
    trying = AsyncRetrying(
        retry=retry_if_exception_type(UnavailableError),
        wait=wait_exponential_jitter(multiplier=0.5, max=10),
        stop=stop_after_delay(seconds),
        reraise=True,
    )
    async for attempt in trying:
        with attempt:
            if waiting and attempt.retry_state.attempt_number > 1:
                await waiting()
            return await action()
    raise AssertionError("tenacity either returns or raises")
