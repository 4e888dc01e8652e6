"""The worker's side of a job in the engine: its results so far, and the errors that can end it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np

from shared.errors import MusicgenError
from shared.music import Music
from worker import metrics
from worker.engine.interface import Samples, Stage
from worker.engine.protocol import Chunk, Described, Failed, Generated, MidiFile, Progress, Staged, StemFile, Warned


class EngineDiedError(MusicgenError):
    """The engine process ended during the job. `jobs` is how many may have caused it; 0 if this one did not."""

    def __init__(self, reason: str, jobs: int) -> None:
        super().__init__(reason)
        self.jobs = jobs


class GenerationFailedError(MusicgenError):
    """The engine could not do this job, and continues with others. `kind` labels the metric."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class EngineJob:
    """A job in the engine, and what it has made so far. `on_chunk` is called with each chunk of audio as it arrives.

    Attributes:
        began: when the job got into the engine, on the clock of `time.perf_counter`; None before.
        done, total: the progress.
        chunks: the audio so far, in order; float32 of shape [frames, channels].
        midi: the score as a MIDI file, if requested and ready.
        folder: gets the stems, if they are requested.
        excerpt: the encoded `Excerpt` that the recipe is conditioned on.
        score: the notes that the recipe refers to, as they are stored.
        stems: those that are ready, if requested.
        music: what the engine knows of the music, once the audio is complete.
        warnings: sentences about what the model could not do as requested.
        stages: the engine's times, for the trace.
        keep_outputs: set before a cancel if the client keeps the audio; the engine then still makes the outputs.
        outcome: the engine's last message about the job.
    """

    def __init__(self, on_chunk: Callable[[Samples], None] = lambda samples: None) -> None:
        self._on_chunk = on_chunk
        self.began: float | None = None
        self.done = 0
        self.total = 1
        self.chunks: list[Samples] = []
        self.midi: bytes | None = None
        self.folder: Path | None = None
        self.excerpt: bytes | None = None
        self.score: bytes | None = None
        self.stems: list[StemFile] = []
        self.music: Music | None = None
        self.warnings: list[str] = []
        self.stages: list[Stage] = []
        self.keep_outputs = False
        self.outcome: asyncio.Future[Generated | Failed] = asyncio.get_running_loop().create_future()

    @property
    def progress(self) -> float:
        return min(self.done / self.total, 1.0)

    @property
    def progress_marker(self) -> tuple[int, ...]:
        """Changes whenever the engine has made progress with the job."""
        return self.done, len(self.chunks), self.midi is not None, len(self.stems)

    @property
    def has_outputs(self) -> bool:
        """Whether all outputs have arrived; some of them may have arrived earlier."""
        done = self.outcome.done() and not self.outcome.cancelled() and self.outcome.exception() is None
        return done and isinstance(self.outcome.result(), Generated)

    def release_audio(self) -> None:
        """Free the memory of the audio, because its file is on disk."""
        self.chunks = []

    def receive(
        self, message: Progress | Chunk | Described | MidiFile | StemFile | Warned | Staged | Generated | Failed
    ) -> None:
        """Take in a message of the engine about this job."""
        match message:
            case Progress(_, done, total):
                self.total = max(total, 1)
                self._advance(done)
            case Chunk():
                samples = _samples(message)
                self.chunks.append(samples)
                self._on_chunk(samples)
            case MidiFile(_, file):
                self.midi = file
            case Described(_, music):
                self.music = music
            case StemFile():
                self.stems.append(message)
            case Warned(_, text):
                self.warnings.append(text)
            case Staged(_, stage):
                self.stages.append(stage)
            case Generated() | Failed():
                if isinstance(message, Generated):
                    self._advance(self.total)
                if not self.outcome.done():
                    self.outcome.set_result(message)

    def _advance(self, done: int) -> None:
        metrics.STEPS.inc(max(done - self.done, 0))
        self.done = done


def _samples(chunk: Chunk) -> Samples:
    return np.frombuffer(chunk.audio, dtype="<f4").reshape(-1, chunk.channels)
