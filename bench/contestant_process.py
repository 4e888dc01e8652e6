"""A process for each contestant: idle threads of one would slow the others down.

libgomp's threads wait actively for each other only while the process has no more of them than the machine has cores.
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

_contestants: list[Contestant] = []


class ContestantError(Exception):
    """There is no such contestant here. The text says why, and what to do."""


class ContestantProcess:
    """One contestant in its process, which waits without working between the calls.

    Raises:
        ContestantError: with the reason, if it cannot be made.
    """

    def __init__(
        self, make: Callable[..., Contestant], *arguments: object, environment: Mapping[str, str] | None = None
    ) -> None:
        """Have `make` called with `arguments` in a process that has `environment` beside the present one."""
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        try:
            # The pool starts its process with the first call.
            with patch.dict(os.environ, {**(environment or {}), **os.environ}):
                seated = self._pool.submit(_sit_down, make, arguments)
            seated.result()
        except ContestantError:
            self.close()
            raise

    def run(self, prompts: Sequence[str], seconds: float) -> Timing:
        """See `Contestant.run`."""
        timing: Timing = self.call(_run, list(prompts), seconds)
        return timing

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """What a function, which is there in the other process too, returns when it is given the contestant."""
        return self._pool.submit(_call, function, arguments).result()

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()


def _sit_down(make: Callable[..., Contestant], arguments: Sequence[object]) -> None:
    """Its own errors have two arguments: they would not get through the pipe."""
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
