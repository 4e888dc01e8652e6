"""The sampler as a codec: what the decode engine makes audio with when the model writes scores."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from worker.engine.sampler.band import RING_OUT, Band
from worker.engine.sampler.bank import Bank, default_bank
from worker.engine.sampler.clock import SAMPLE_RATE, step_length
from worker.engine.sampler.codes import CODEBOOK_SIZE, Codes
from worker.engine.sampler.conductor import COUNT_IN
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.mastering import FADE, FadeOut, MasterBus, faded
from worker.engine.sampler.mixing import Reverb, mix
from worker.engine.sampler.proofreader import Proofreader
from worker.engine.sampler.score import FASTEST

Floats = NDArray[np.float32]


class SamplerCodec:
    """See `Codec`. A frame is a sixteenth, so how long it is depends on the tempo that the codes declare.

    `frame_rate` is the most frames that a second can take, and `samples_per_frame` the fewest samples of one.
    """

    sample_rate = SAMPLE_RATE
    channels = 2
    codebooks = len(Stream)
    codebook_size = CODEBOOK_SIZE
    samples_per_frame = int(step_length(FASTEST))
    lookahead = 1
    lead_in = COUNT_IN

    def __init__(self, bank: Bank | None = None) -> None:
        """Open it.

        Args:
            bank: of samples; the one that is part of this package if it is None.

        Raises:
            OSError: if there is none.
        """
        self._bank = default_bank() if bank is None else bank

    @property
    def frame_rate(self) -> float:
        return self.sample_rate / self.samples_per_frame

    def stream(self, total_samples: int | None = None) -> "SamplerStream":
        """Begin a piece.

        Args:
            total_samples: how long it shall be: it fades out in the 0.4 s before, and nothing comes after. None leaves
                that to the codes.
        """
        return SamplerStream(self._bank, total_samples)


class SamplerStream:
    """See `CodecStream`: samples are counted, not frames, since frames have no fixed length. Slips are corrected."""

    def __init__(self, bank: Bank, total_samples: int | None) -> None:
        self._proofreader = Proofreader()
        self._pushed = [np.zeros((len(Stream), 0), np.int64)]
        self._band = Band(bank)
        self._reverb = Reverb()
        self._bus = MasterBus()
        self._fade_out = FadeOut(total_samples)
        self._ended = False

    @property
    def samples_left(self) -> int | None:
        """How many samples are still wanted: at 0 no more codes are needed. None if the length was left open."""
        return self._fade_out.left

    def push(self, codes: Tensor, last: bool = False) -> Tensor:
        """Take the codes that follow; see `CodecStream.push`.

        Args:
            codes: integers of shape [8, frames]; any that cannot be read are nothing new.
            last: whether the piece ends with them.

        Returns:
            float32 of shape [2, samples], on the CPU. With `last` what rings out comes too, up to 2 s; or, if the
            length was given, exactly what is missing, silence at last.

        Raises:
            ValueError: if the piece has ended before, or there are not 8 rows of codes.
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
        """The codes that were pushed until now, as they were played: int64 of shape [8, steps]. For any thread."""
        return np.concatenate(tuple(self._pushed), axis=1)

    def _step(self, column: NDArray[np.int64]) -> Floats:
        if self._fade_out.left == 0:
            return np.zeros((2, 0), np.float32)
        return self._finish(mix(self._band.play(column), self._reverb))

    def _finish(self, sound: Floats) -> Floats:
        return self._fade_out.push(self._bus.push(sound))

    def _last(self) -> list[Floats]:
        """What was released rings out, and silence fills a length that was wanted."""
        self._ended = True
        self._band.stop()
        rest = mix(self._band.ring(RING_OUT), self._reverb)
        rest[:, -FADE:] *= faded(np.arange(FADE, 0, -1) / FADE)
        sound = [self._finish(rest), self._fade_out.push(self._bus.finish())]
        silence = np.zeros((2, self._fade_out.left or 0), np.float32)
        return [*sound, self._fade_out.push(silence)]
