"""The sampler as a codec: renders the scores that a model writes to audio, which is not mastered."""

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.music import HIGHEST_BPM
from worker.engine.sampler.band import PLAYED, QUIET, RING_OUT, Band
from worker.engine.sampler.bank import Bank, default_bank
from worker.engine.sampler.clock import SAMPLE_RATE, step_length
from worker.engine.sampler.codes import CODEBOOK_SIZE, Codes
from worker.engine.sampler.conductor import COUNT_INS
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.mixing import Rooms, mix
from worker.engine.sampler.proofreader import Proofreader
from worker.engine.sampler.score import FASTEST

Floats = NDArray[np.float32]


class SamplerCodec:
    """See `Codec`. A frame is a sixteenth note, so its length depends on the tempo that the codes declare.

    `frame_rate` is the maximum number of frames a second, `samples_per_frame` the minimum length of a frame, both at
    the fastest tempo that codes declare.
    """

    sample_rate = SAMPLE_RATE
    channels = 2
    codebooks = len(Stream)
    codebook_size = CODEBOOK_SIZE
    samples_per_frame = int(step_length(Fraction(FASTEST)))
    lookahead = 1

    def __init__(self, bank: Bank | None = None, level: int = 1) -> None:
        """Open the bank.

        Args:
            bank: the bank of samples; None opens the one in this package.
            level: of the scores that the model writes; see `score.LEVEL`. All levels are played.

        Raises:
            OSError: if the bank does not exist.
        """
        self._bank = default_bank() if bank is None else bank
        self.level = level
        self.lead_in = COUNT_INS[level]

    @property
    def frame_rate(self) -> float:
        return self.sample_rate / self.samples_per_frame

    def most_frames(self, seconds: float) -> int:
        """The most frames of a piece of this length: at the fastest tempo that is played, which no code declares."""
        return self.lead_in + math.ceil(Fraction(seconds) * self.sample_rate / step_length(Fraction(HIGHEST_BPM)))

    def stream(
        self,
        total_samples: int | None = None,
        tempo: Fraction | None = None,
        *,
        loop: bool = False,
        first_step: int = 0,
        only: frozenset[Stream] = frozenset(),
    ) -> "SamplerStream":
        """Begin a piece.

        Args:
            total_samples: its length: later samples are dropped. None if the codes decide the length.
            tempo: see `Clock`.
            loop: whether what still sounds at the end follows, until it is below -90 dBFS.
            first_step: see `Clock`.
            only: the streams that are heard, each as in the whole mix; empty means all.
        """
        return SamplerStream(self._bank, total_samples, tempo, loop=loop, first_step=first_step, only=only)


class SamplerStream:
    """See `CodecStream`. Counts samples, because frames have no fixed length. Corrects the model's slips."""

    def __init__(
        self,
        bank: Bank,
        total_samples: int | None,
        tempo: Fraction | None = None,
        *,
        loop: bool,
        first_step: int = 0,
        only: frozenset[Stream] = frozenset(),
    ) -> None:
        self._proofreader = Proofreader()
        self._pushed = [np.zeros((len(Stream), 0), np.int64)]
        self._band = Band(bank, tempo, first_step)
        self._rooms = Rooms()
        self._left = total_samples
        self._loop = loop
        self._ended = False
        self._silent = [stream - 1 for stream in PLAYED if only and stream not in only]

    def push(self, codes: Tensor, last: bool = False) -> Tensor:
        """Render the next codes; see `CodecStream.push`.

        Args:
            codes: integers of shape [8, frames]; invalid codes count as "no event".
            last: whether these are the piece's last codes.

        Returns:
            float32 of shape [2, samples], on the CPU. With `last` this includes up to 2 s of release and reverb; if a
            length was given, exactly the missing samples, padded with silence, and then the tail of a loop.

        Raises:
            ValueError: if the piece has already ended, or `codes` does not have 8 rows.
        """
        if self._ended:
            raise ValueError("The piece has ended")
        if codes.dim() != 2 or codes.shape[0] != len(Stream):
            raise ValueError(f"Codes are of shape {tuple(codes.shape)}, not [{len(Stream)}, frames]")
        score = self._proofreader.correct(codes.cpu().numpy())
        self._pushed.append(score)
        sound = [self._step(column) for column in score.T]
        if last:
            sound += self._last()
        return torch.from_numpy(np.concatenate([np.zeros((2, 0), np.float32), *sound], axis=1))

    def score(self) -> Codes:
        """All codes pushed so far, after correction: int64 of shape [8, steps]. Thread-safe."""
        return np.concatenate(tuple(self._pushed), axis=1)

    def _step(self, column: NDArray[np.int64]) -> Floats:
        if self._left == 0:
            return np.zeros((2, 0), np.float32)
        return self._cut(self._mix(self._band.play(column)))

    def _mix(self, streams: Floats) -> Floats:
        streams[self._silent] = 0
        return mix(streams, self._band.sends, self._rooms, self._band.sides)

    def _cut(self, sound: Floats) -> Floats:
        """Drop what exceeds the piece's length, if that was given."""
        if self._left is None:
            return sound
        sound = sound[:, : self._left]
        self._left -= sound.shape[1]
        return sound

    def _last(self) -> list[Floats]:
        """Let the released notes ring out, then pad with silence up to the piece's length."""
        self._ended = True
        if self._loop:
            return list(self._tail())
        self._band.stop()
        sound = self._cut(self._mix(self._band.ring(RING_OUT)))
        return [sound, np.zeros((2, self._left or 0), np.float32)]

    def _tail(self) -> Iterator[Floats]:
        for block in self._band.tail():
            sound = self._mix(block)
            yield sound
            if max(np.abs(block).max(), np.abs(sound).max(), self._band.loudest_echo) < QUIET:
                return
