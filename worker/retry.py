"""Repeats an action while NATS or S3 is unavailable."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from shared.errors import UnavailableError

T = TypeVar("T")


async def retry_until_deadline(
    action: Callable[[], Awaitable[T]], max_seconds: float, before_retry: Callable[[], Awaitable[None]] | None = None
) -> T:
    """Run an action, and again while it raises UnavailableError.

    Args:
        action: must be idempotent.
        max_seconds: seconds after which no further retry begins.
        before_retry: called before each repetition.

    Raises:
        UnavailableError: the last one.
    """
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(UnavailableError),
        wait=wait_exponential_jitter(multiplier=0.5, max=10),
        stop=stop_after_delay(max_seconds),
        reraise=True,
    )
    async for attempt in retrying:
        with attempt:
            if before_retry and attempt.retry_state.attempt_number > 1:
                await before_retry()
            return await action()
    raise AssertionError("tenacity either returns or raises")
