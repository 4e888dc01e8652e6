"""Renders captions with a model in the decode engine, or the generator's own pieces with the sampler."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from shared.messages import Recipe
from shared.models import STARTER, default_guidance
from training.data import learnt_codes
from training.evaluation.instrumentation import BEATS
from training.evaluation.performance import Floats, Performance, samples_of, steps_within
from training.music import Piece
from training.music.listening import heard
from worker.delivery.preview import Preview
from worker.engine.batching.engine import BatchingEngine, load
from worker.engine.interface import EngineSettings
from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.codec import SamplerCodec, SamplerStream
from worker.engine.sampler.codes import Codes, decode, encode
from worker.engine.sampler.instruments import Stream

# With fewer pieces, starting processes takes longer than rendering.
WORTH_PROCESSES = 24

T = TypeVar("T")


class PlayedScores:
    """Wraps a codec and keeps the last stream that each thread opened."""

    def __init__(self, codec: SamplerCodec) -> None:
        self._own = threading.local()
        self._begin = codec.stream
        codec.stream = self._stream  # type: ignore[method-assign]

    def _stream(
        self,
        total_samples: int | None = None,
        tempo: Fraction | None = None,
        *,
        loop: bool = False,
        first_step: int = 0,
        only: frozenset[Stream] = frozenset(),
    ) -> SamplerStream:
        self._own.stream = self._begin(total_samples, tempo, loop=loop, first_step=first_step, only=only)
        stream: SamplerStream = self._own.stream
        return stream

    @property
    def codes(self) -> Codes:
        """The codes pushed to this thread's last stream: [8, steps]."""
        stream: SamplerStream = self._own.stream
        return stream.score()


@dataclass(frozen=True)
class Pace:
    """Seconds until a piece's first chunk and until its last, and its length in seconds."""

    first: float
    whole: float
    audio: float


class CheckpointPlayer:
    """The decode engine with a checkpoint.

    Attributes:
        level: of the checkpoint's scores.
    """

    def __init__(self, model: Path, slots: int, longest: float, sampling: Mapping[str, float]) -> None:
        """Load the checkpoint. `sampling` overrides the service's default sampling parameters."""
        settings = EngineSettings(
            engine="batching", model=str(model), device="auto", max_slots=slots, max_duration=longest
        )
        self._engine: BatchingEngine = load(settings, lambda _: None)
        codec = self._engine._codec
        assert isinstance(codec, SamplerCodec), "only scores are measured"
        self._memory = PlayedScores(codec)
        self.level = codec.level
        self._sampling = sampling

    def play(self, pieces: Sequence[Piece], seconds: float) -> Iterator[Performance]:
        """Play the captions of pieces, as many at once as the engine has slots. A piece's seed is its index."""
        with ThreadPoolExecutor(self._engine.slots) as pool:
            yield from pool.map(partial(self._perform, seconds=seconds), pieces, count())

    def _perform(self, piece: Piece, seed: int, seconds: float) -> Performance:
        audio = mastered(np.concatenate(list(self._chunks(piece.caption, seconds, seed))).T)
        codes = self._memory.codes
        return Performance(piece.spec, codes[:, : steps_within(codes, audio.shape[1])], audio)

    def _chunks(self, caption: str, seconds: float, seed: int) -> Iterator[Floats]:
        sampling: dict[str, float] = {"cfg_coef": default_guidance(STARTER), **self._sampling}
        recipe = Recipe(model=STARTER, prompt=caption, duration=seconds, seed=seed, **sampling)  # type: ignore[arg-type]
        return self._engine.generate(recipe, lambda done, total: None)

    def time(self, caption: str, seconds: float) -> Pace:
        """Time one piece alone."""
        began = time.perf_counter()
        chunks = self._chunks(caption, seconds, seed=0)
        next(chunks)
        first = time.perf_counter() - began
        for _ in chunks:
            pass
        return Pace(first, time.perf_counter() - began, seconds)

    def close(self) -> None:
        self._engine.close()


def own_codes(piece: Piece, seconds: float) -> Codes:
    """The codes of a generator's piece without its ending, as in the training data, cut to a length."""
    codes = learnt_codes(piece.score)
    return codes[:, : steps_within(codes, round(seconds * SAMPLE_RATE))]


def play_own(piece: Piece, seconds: float) -> Performance:
    """Render a generator's piece, with a fade-out."""
    return _play(piece, own_codes(piece, seconds), seconds)


def play_without_beats(piece: Piece, seconds: float) -> Performance:
    """Render a generator's piece without the streams that make a beat."""
    score = decode(own_codes(piece, seconds))
    events = {
        stream: row for stream, row in score.events.items() if not heard(replace(score, events={stream: row})) & BEATS
    }
    return _play(piece, encode(replace(score, events=events)), seconds)


def _play(piece: Piece, codes: Codes, seconds: float) -> Performance:
    wanted = min(round(seconds * SAMPLE_RATE), samples_of(codes))
    audio = _sampler().stream(wanted).push(torch.from_numpy(codes), last=True)
    return Performance(piece.spec, codes, mastered(audio.numpy()))


def mastered(mix: Floats) -> Floats:
    """The mix, float32 of shape [2, samples], as listeners of live audio hear it."""
    preview = Preview(SAMPLE_RATE, 2, mix.shape[1], fades=True)
    return np.concatenate((preview.push(mix.T), preview.finish())).T


def on_all_cores(work: Callable[[Piece], T], pieces: Sequence[Piece]) -> Iterator[T]:
    """Map `work` over the pieces, in a process per core if there are many."""
    if len(pieces) < WORTH_PROCESSES:
        yield from map(work, pieces)
        return
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from pool.map(work, pieces, chunksize=4)


@cache
def _sampler() -> SamplerCodec:
    """This process's sampler, with its bank."""
    return SamplerCodec()
