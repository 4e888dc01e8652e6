"""The sampler as audiocraft's codec interface. No other file of this package imports audiocraft."""

import torch
from audiocraft.models.encodec import CompressionModel
from torch import Tensor

from worker.engine.codec_interface import Codec


class AudioInputError(ValueError):
    """The caller asked to encode audio, which the sampler cannot do."""

    def __init__(self) -> None:
        super().__init__(
            "This model writes scores and cannot encode audio. To continue a recording, use an EnCodec model."
        )


class SamplerCompressionModel(CompressionModel):  # type: ignore[misc]
    """Decodes scores. `encode` and `forward` raise AudioInputError."""

    def __init__(self, codec: Codec) -> None:
        super().__init__()
        self._codec = codec

    def forward(self, x: Tensor) -> Tensor:
        raise AudioInputError

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        raise AudioInputError

    def decode(self, codes: Tensor, scale: Tensor | None = None) -> Tensor:
        """Render integers of shape [pieces, 8, frames] to float32 of shape [pieces, 2, samples].

        Pieces may differ in tempo and so in length; shorter ones are padded with silence.
        """
        pieces = [self._codec.stream().push(piece, last=True) for piece in codes]
        longest = max(piece.shape[1] for piece in pieces)
        padded = [torch.nn.functional.pad(piece, (0, longest - piece.shape[1])) for piece in pieces]
        return torch.stack(padded).to(codes.device)

    def decode_latent(self, codes: Tensor) -> Tensor:
        raise ValueError("A score has no latent form: decode it.")

    def set_num_codebooks(self, n: int) -> None:
        """Accept only the number of streams that the score has.

        Raises:
            ValueError: for any other number.
        """
        if n != self.num_codebooks:
            raise ValueError(f"A score has {self.num_codebooks} streams, not {n}")

    @property
    def channels(self) -> int:
        return self._codec.channels

    @property
    def frame_rate(self) -> float:
        return self._codec.frame_rate

    @property
    def sample_rate(self) -> int:
        return self._codec.sample_rate

    @property
    def lead_in(self) -> int:
        """See `Codec.lead_in`; audiocraft's models have none."""
        return self._codec.lead_in

    @property
    def cardinality(self) -> int:
        return self._codec.codebook_size

    @property
    def num_codebooks(self) -> int:
        return self._codec.codebooks

    @property
    def total_codebooks(self) -> int:
        return self._codec.codebooks
