"""A codec that returns the codes as audio, so that tests can inspect them."""

import torch
from torch import Tensor


class CodesStream:
    """Holds back the newest frames, like a codec with lookahead."""

    def __init__(self, lookahead: int) -> None:
        self._lookahead = lookahead
        self._held: Tensor | None = None

    def push(self, codes: Tensor, last: bool = False) -> Tensor:
        held = codes if self._held is None else torch.cat([self._held, codes], 1)
        final = held.shape[1] if last else max(held.shape[1] - self._lookahead, 0)
        self._held = held[:, final:]
        return held[:, :final].float()


class CodesCodec:
    """One sample per frame, one channel per codebook."""

    samples_per_frame = 1
    lookahead = 2
    lead_in = 0

    def __init__(self, codebooks: int, codebook_size: int, frame_rate: int = 50) -> None:
        self.codebooks = self.channels = codebooks
        self.codebook_size = codebook_size
        self.sample_rate = frame_rate
        self.frame_rate = float(frame_rate)

    def stream(self, total_samples: int | None = None) -> CodesStream:
        return CodesStream(self.lookahead)
