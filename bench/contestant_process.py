"""Runs each contestant in its own process, since idle threads of one would slow the others down.

libgomp's threads spin while waiting only as long as the process has no more threads than the machine has cores.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any
from unittest.mock import patch

from bench.contestants import Contestant, Timing
from shared.errors import ModelUnavailableError
from worker.engine.batching.config import UnsupportedModelError
from worker.engine.codec_interface import UnsupportedCodecError
from worker.engine.text.configuration import UnsupportedTextEncoderError

_contestants: list[Any] = []


class ContestantError(Exception):
    """A contestant cannot run here. The text says why, and what to do."""


class ContestantProcess:
    """One contestant in its process, which is idle between calls.

    Raises:
        ContestantError: with the reason, if the contestant cannot be made.
    """

    def __init__(
        self, make: Callable[..., Any], *arguments: object, environment: Mapping[str, str] | None = None
    ) -> None:
        """Make the contestant, `make(*arguments)`, in a new process whose environment also has `environment`."""
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        try:
            # The pool starts its process at the first call.
            with patch.dict(os.environ, {**(environment or {}), **os.environ}):
                made = self._pool.submit(_make, make, arguments)
            made.result()
        except ContestantError:
            self.close()
            raise

    def run(self, prompts: Sequence[str], seconds: float) -> Timing:
        """See `Contestant.run`."""
        timing: Timing = self.call(_run, list(prompts), seconds)
        return timing

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Call a module-level function with the contestant and `arguments` in its process; returns the result."""
        return self._pool.submit(_call, function, arguments).result()

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()


def _make(make: Callable[..., Any], arguments: Sequence[object]) -> None:
    """Make the contestant. Converts errors with two arguments, which cannot be unpickled by the parent."""
    try:
        _contestants.append(make(*arguments))
    except ModelUnavailableError as error:
        raise ContestantError(f"{error} {error.remedy}") from None
    except (UnsupportedModelError, UnsupportedCodecError, UnsupportedTextEncoderError) as error:
        raise ContestantError(f"Only audiocraft's own engine runs this model: {error}.") from None


def _call(function: Callable[..., Any], arguments: Sequence[object]) -> Any:
    return function(_contestants[0], *arguments)


def _run(contestant: Contestant, prompts: Sequence[str], seconds: float) -> Timing:
    return contestant.run(prompts, seconds)
