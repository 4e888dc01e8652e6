"""The times of a request's stages, for its trace."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from worker.engine.interface import Stage


class StageClock:
    """Notes when a request is in which stage, in nanoseconds since 1970."""

    def __init__(self) -> None:
        self._began = time.time_ns()
        self._first_step = self._last_step = 0
        self._codec_began = self._codec_ended = self._codec_busy = 0

    def stepped(self) -> None:
        """Note a step of the batch with the request in it."""
        self._last_step = time.time_ns()
        self._first_step = self._first_step or self._last_step

    @contextmanager
    def in_codec(self) -> Iterator[None]:
        """During the block the codec works."""
        began = time.time_ns()
        yield
        self._codec_ended = time.time_ns()
        self._codec_began = self._codec_began or began
        self._codec_busy += self._codec_ended - began

    def stages(self) -> list[Stage]:
        """The stages so far: `prefill` until the first step, `decode` until the last one, and the codec's work."""
        if not self._first_step:
            return []
        found = [
            stage("prefill", self._began, self._first_step),
            stage("decode", self._first_step, self._last_step),
        ]
        if self._codec_began:
            found.append(Stage("codec", self._codec_began, self._codec_ended, self._codec_busy / 1e9))
        return found


def stage(name: str, began: int, ended: int) -> Stage:
    """A stage without pauses."""
    return Stage(name, began, ended, (ended - began) / 1e9)
