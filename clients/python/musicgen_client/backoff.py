"""Retries: which errors pass by themselves, and how long to wait for that."""

import asyncio
import random
import time

from musicgen_client.errors import ClientError, ProblemError, TimedOutError, UnreachableError

# Seconds before the first retry, and the longest pause; pauses double in between.
FIRST_DELAY = 0.5
LONGEST_DELAY = 8.0
TEMPORARY_STATUSES = frozenset({429, 502, 503, 504})


class Backoff:
    """The pauses between the attempts at one request.

    Args:
        patience: seconds after which the last error is raised; 0 allows one attempt.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self.reset()

    def reset(self) -> None:
        """Begin again, after a success."""
        self._delay = FIRST_DELAY
        self._deadline = time.monotonic() + self._patience

    async def wait(self, error: ClientError) -> None:
        """Wait until the next attempt: as long as the gateway asks for, at least for a growing, random pause.

        Raises:
            ClientError: the error itself, if it is permanent or patience ends before the next attempt.
        """
        pause = max(_asked_pause(error), self._delay * random.uniform(0.5, 1))  # noqa: S311 - no secret
        if not is_temporary(error) or time.monotonic() + pause > self._deadline:
            raise error
        self._delay = min(2 * self._delay, LONGEST_DELAY)
        await asyncio.sleep(pause)


def is_temporary(error: ClientError) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, ProblemError):
        return error.problem.status in TEMPORARY_STATUSES
    return isinstance(error, UnreachableError | TimedOutError)


def _asked_pause(error: ClientError) -> float:
    return (error.problem.retry_after or 0.0) if isinstance(error, ProblemError) else 0.0
