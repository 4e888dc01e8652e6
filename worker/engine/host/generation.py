"""What one job makes in the engine, on the worker's side, and how that can go wrong."""

import asyncio
from collections.abc import Callable

import numpy as np

from shared.errors import MusicgenError
from worker.engine.interface import Samples
from worker.engine.protocol import Chunk, Failed, Generated, StemChunk

# Full scale is 1: what stays below 60 dB less is silence.
SILENCE = 1e-3


class EngineDiedError(MusicgenError):
    """The engine process ended and the job with it. `jobs` is how many may have done it, 0 if this one did not."""

    def __init__(self, reason: str, jobs: int) -> None:
        super().__init__(reason)
        self.jobs = jobs


class GenerationFailedError(MusicgenError):
    """The engine could not do this job and goes on with others. `kind` labels the metric."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class Generation:
    """A job in the engine, and what it has made so far. `on_chunk` is called with each chunk as it comes.

    Attributes:
        began: when the engine was free for it, on the clock of `time.perf_counter`; None before.
        done, total: how far it is.
        chunks: the audio until now, in order.
        midi: its score as a MIDI file, if that was asked for and is ready.
        stems: the chunks of each stem that is ready, if they were asked for.
        warnings: sentences about what the model cannot do, for the person who asked.
        keep: whether a person keeps what was made, should it be cancelled: its outputs are then still made.
        result: comes at the end.
    """

    def __init__(self, on_chunk: Callable[[Samples], None] = lambda samples: None) -> None:
        self._on_chunk = on_chunk
        self.began: float | None = None
        self.done = 0
        self.total = 1
        self.chunks: list[Samples] = []
        self.midi: bytes | None = None
        self.stems: dict[str, list[Samples]] = {}
        self.warnings: list[str] = []
        self.keep = False
        self.result: asyncio.Future[Generated | Failed] = asyncio.get_running_loop().create_future()

    @property
    def progress(self) -> float:
        return min(self.done / self.total, 1.0)

    @property
    def extent(self) -> tuple[int, ...]:
        """Is another one whenever the engine has done something more for the job."""
        return self.done, len(self.chunks), self.midi is not None, sum(map(len, self.stems.values()))

    @property
    def has_outputs(self) -> bool:
        """Whether the engine has given all outputs; some of them may be there before."""
        done = self.result.done() and not self.result.cancelled() and self.result.exception() is None
        return done and isinstance(self.result.result(), Generated)

    @property
    def is_silent(self) -> bool:
        """Whether there is audio, and nothing can be heard in it."""
        return bool(self.chunks) and bool(np.max([np.abs(chunk).max(initial=0) for chunk in self.chunks]) < SILENCE)

    def add(self, chunk: Chunk) -> None:
        """Take the next piece of the audio."""
        samples = _samples(chunk)
        self.chunks.append(samples)
        self._on_chunk(samples)

    def add_to_stem(self, chunk: StemChunk) -> None:
        """Take the next piece of a stem."""
        self.stems.setdefault(chunk.name, []).append(_samples(chunk))

    def samples(self) -> Samples:
        """All that was made: float32 of shape [frames, channels]. Raises ValueError if that is nothing."""
        return np.concatenate(self.chunks) if len(self.chunks) != 1 else self.chunks[0]


def _samples(chunk: Chunk | StemChunk) -> Samples:
    return np.frombuffer(chunk.audio, dtype="<f4").reshape(-1, chunk.channels)
