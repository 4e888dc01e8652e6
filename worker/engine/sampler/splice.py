"""Continues a child's audio with its parent's, sample by sample, once nothing of the composed part sounds any more.

The child is rendered as a whole, so its last composed notes ring on naturally. Echoes and reverb never end in floats,
though: from where both differ by less than -120 dBFS until the end, the parent's own samples take over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray

from worker.engine.sampler.clock import step_length
from worker.engine.sampler.codec import SamplerCodec
from worker.engine.sampler.codes import Codes
from worker.engine.sampler.instruments import Stream

Floats = NDArray[np.float32]

INAUDIBLE = 10 ** (-120 / 20)


@dataclass(frozen=True, slots=True)
class Piece:
    """A score and how it is rendered.

    Attributes:
        codes: corrected codes of shape [8, steps], count-in included.
        samples: length of the audio, without the tail of a loop.
        tempo: see `Clock`.
        bar: steps of a bar.
        first_step: see `Clock`.
        loop: see `SamplerCodec.stream`.
    """

    codes: Codes
    samples: int
    tempo: Fraction
    bar: int
    first_step: int
    loop: bool

    def render(self, codec: SamplerCodec, only: frozenset[Stream] = frozenset()) -> Floats:
        """The audio: float32 of shape [2, samples + tail]; `only` as in `SamplerCodec.stream`."""
        stream = codec.stream(self.samples, self.tempo, loop=self.loop, first_step=self.first_step, only=only)
        return stream.push(torch.from_numpy(self.codes), last=True).numpy()

    def position(self, column: int) -> int:
        """The sample of the audio at which a column of the codes begins."""
        length = step_length(self.tempo)
        return round((self.first_step + column - self.bar) * length) - round(self.first_step * length)


@dataclass(frozen=True, slots=True)
class Splice:
    """Where the parent's samples take over.

    Attributes:
        old: the parent.
        offset: the child's sample at which the parent begins.
        at: the child's first sample that is the parent's again.
        end: the child's sample after the last such one.
    """

    old: Piece
    offset: int
    at: int
    end: int

    def apply(self, new: Floats, old: Floats) -> None:
        """Continue one track, of shape [2, samples], in place."""
        new[:, self.at : self.end] = old[:, self.at - self.offset : self.end - self.offset]

    def apply_all(self, new: dict[Stream, Floats], render: Callable[[Piece], dict[Stream, Floats]]) -> None:
        """Continue all stems in place; `render` makes those of the parent."""
        old = render(self.old)
        for stream, track in new.items():
            self.apply(track, old[stream])


def find_splice(new: Floats, old: Floats, child: Piece, parent: Piece, part_end: int) -> Splice:
    """Find the first sample from which child and parent sound the same.

    Args:
        new: the child's audio, float32 of shape [2, samples].
        old: the parent's.
        child: the child.
        parent: the parent.
        part_end: the column after the composed part.
    """
    offset = child.position(child.bar + parent.first_step - child.first_step)
    first, end = child.position(part_end), min(child.samples, offset + parent.samples)
    first = min(first, end)
    apart = np.abs(new[:, first:end] - old[:, first - offset : end - offset]).max(axis=0, initial=0.0)
    heard = np.flatnonzero(apart >= INAUDIBLE)
    return Splice(parent, offset, first + (int(heard[-1]) + 1 if heard.size else 0), end)
