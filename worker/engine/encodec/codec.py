"""EnCodec. Its decoder: codebooks, then a convolution, an LSTM and upsampling to samples."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.encodec.audio_encoder import AudioEncoder
from worker.engine.encodec.layers import StreamingLayer


class Codebooks:
    """Residual vector quantisation: the codebooks of one channel."""

    def __init__(self, entries: Sequence[Tensor]) -> None:
        """Take the vectors of each codebook, float32 of shape [codebook_size, dimension]."""
        self.count = len(entries)
        self.codebook_size = len(entries[0])
        self._entries = torch.cat(tuple(entries))
        self._first = torch.arange(self.count, device=self._entries.device)[:, None] * self.codebook_size

    def dequantise(self, codes: Tensor, channels: int) -> Tensor:
        """Sum the vectors of codes [codebooks × channels, frames]: [channels, frames, dimension].

        Stereo codebooks alternate between left and right (audiocraft's `InterleaveStereoCompressionModel`).
        """
        rows = codes.to(self._entries.device).reshape(self.count, channels, codes.shape[1]).transpose(0, 1)
        return functional.embedding(rows + self._first, self._entries).sum(1)


# Frames decoded at once. The last layers need about half a megabyte per frame, and more frames would gain nothing.
MOST_FRAMES = 100


class EncodecCodec:
    """See `Codec`. `encoder` is its other half; None if the checkpoint's is not supported."""

    def __init__(
        self,
        codebooks: Codebooks,
        layers: Sequence[StreamingLayer],
        *,
        sample_rate: int,
        samples_per_frame: int,
        channels: int,
        runs: int,
        encoder: AudioEncoder | None = None,
    ) -> None:
        """Take the parts.

        Args:
            codebooks: codebooks of one run.
            layers: from the codebooks' vectors to samples.
            sample_rate: in hertz.
            samples_per_frame: samples that the layers make of one vector.
            channels: output channels of the last layer.
            runs: 2 if left and right pass through a mono decoder as a batch, else 1.
            encoder: for the same codebooks.
        """
        self.encoder = encoder
        self._codebooks = codebooks
        self._layers = layers
        self._runs = runs
        self.sample_rate = sample_rate
        self.samples_per_frame = samples_per_frame
        self.channels = channels * runs
        self.codebooks = codebooks.count * runs
        self.codebook_size = codebooks.codebook_size
        self.lookahead = self._lookahead()
        self.lead_in = 0

    @property
    def frame_rate(self) -> float:
        return self.sample_rate / self.samples_per_frame

    def stream(self, total_samples: int | None = None) -> "EncodecStream":
        return EncodecStream(self._codebooks, self._layers, self.channels, self._runs)

    def _lookahead(self) -> int:
        """Measured at the first frame, which waits longest: mirrored padding needs additional inputs."""
        frames = 1
        while self._final(frames) < self.samples_per_frame:
            frames += 1
        return frames - 1

    def _final(self, frames: int) -> int:
        length = frames
        for layer in self._layers:
            length = layer.final(length)
        return length


class EncodecStream:
    """Decodes one piece. See `CodecStream`."""

    def __init__(self, codebooks: Codebooks, layers: Sequence[StreamingLayer], channels: int, runs: int) -> None:
        self._codebooks = codebooks
        self._layers = [layer.stream() for layer in layers]
        self._channels = channels
        self._runs = runs
        self._begun = False
        self._ended = False

    @torch.inference_mode()
    def push(self, codes: Tensor, last: bool = False) -> Tensor:
        if self._ended:
            raise ValueError("The piece has ended: start a new stream.")
        self._ended = last
        parts = torch.split(codes, MOST_FRAMES, 1)
        return torch.cat([self._push(part, last and part is parts[-1]) for part in parts], 1)

    def _push(self, codes: Tensor, last: bool) -> Tensor:
        x = self._codebooks.dequantise(codes, self._runs)
        self._begun = self._begun or codes.shape[1] > 0
        if not self._begun:
            # A piece without frames has no end to pad.
            return x.new_empty(self._channels, 0)
        for layer in self._layers:
            x = layer.push(x, last)
        return x.transpose(1, 2).reshape(self._channels, -1)
