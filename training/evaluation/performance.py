"""A rendered caption, which all measures take."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from training.music.listening import heard
from training.music.spec import Spec
from worker.engine.sampler.clock import Clock
from worker.engine.sampler.codes import Codes, decode
from worker.engine.sampler.conductor import Conductor
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Header, Score

Floats = NDArray[np.float32]
Figures = dict[str, float]
"""A measure's figures by row of the table, from 0 (missed) to 1 (met); only rows that apply to the caption."""


@dataclass(frozen=True)
class Performance:
    """A rendered piece.

    Attributes:
        spec: what its caption states.
        codes: the score, integers of shape [8, steps]; no step begins after the audio ends.
        audio: float32 of shape [2, samples], at 32 kHz.
    """

    spec: Spec
    codes: Codes
    audio: Floats

    @cached_property
    def score(self) -> Score:
        return decode(self.codes)

    @cached_property
    def heard(self) -> frozenset[str]:
        """The instruments that play, in the vocabulary's words."""
        return heard(self.score)

    @cached_property
    def bars(self) -> list[Codes]:
        """The codes of each whole bar without the conductor's: [7, steps of the bar]."""
        return bars(self.codes)


def counted_in(codes: Codes) -> int:
    """The number of steps in the count-in."""
    conductor = Conductor()
    for step, code in enumerate(codes[Stream.CONDUCTOR]):
        conductor.read(int(code))
        if not conductor.counts_in:
            return step
    return int(codes.shape[1])


def headers(codes: Codes) -> list[tuple[Header, int]]:
    """The header at each step after the count-in, and the step's place in its bar."""
    conductor, found = Conductor(), []
    for code in codes[Stream.CONDUCTOR]:
        conductor.read(int(code))
        if not conductor.counts_in:
            found.append((conductor.header, conductor.place))
    return found


def bars(codes: Codes) -> list[Codes]:
    """See `Performance.bars`; a cut last bar is left out."""
    followed, music = headers(codes), codes[1:, counted_in(codes) :]
    starts = [step for step, (_, place) in enumerate(followed) if place == 0]
    ends = [*starts[1:], starts[-1] + followed[starts[-1]][0].steps] if starts else []
    return [music[:, start:end] for start, end in zip(starts, ends, strict=True) if end <= music.shape[1]]


def steps_within(codes: Codes, samples: int) -> int:
    """The number of steps that begin within the first `samples`."""
    clock = Clock()
    for step, (header, _) in enumerate(headers(codes), counted_in(codes)):
        begin, _ = clock.advance(header)
        if begin >= samples:
            return step
    return int(codes.shape[1])


def samples_of(codes: Codes) -> int:
    """The length of all steps in samples."""
    clock = Clock()
    for header, _ in headers(codes):
        clock.advance(header)
    return clock.position
