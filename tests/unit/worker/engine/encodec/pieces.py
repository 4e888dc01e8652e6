"""Decode a whole piece in chunks."""

from collections.abc import Sequence

import torch
from hypothesis import strategies
from torch import Tensor

from worker.engine.codec_interface import Codec

# Allowed difference between two orders of float32 sums, for audio of about ±1.
TOLERANCE = 1e-5


def decode(codec: Codec, codes: Tensor, chunks: Sequence[int] = ()) -> Tensor:
    """Decode codes [codebooks, frames], pushing chunks of the given numbers of frames and then the rest."""
    stream = codec.stream()
    sizes = (*chunks, codes.shape[1] - sum(chunks))
    parts = torch.split(codes, list(sizes), 1)
    return torch.cat([stream.push(part, last=number == len(parts)) for number, part in enumerate(parts, 1)], 1)


@strategies.composite
def pieces(draw: strategies.DrawFn, longest: int = 24) -> tuple[int, list[int]]:
    """The frames of a piece, and the frames of each chunk before the last."""
    frames = draw(strategies.integers(1, longest))
    cuts = sorted(draw(strategies.lists(strategies.integers(0, frames), max_size=longest)))
    return frames, [end - begin for begin, end in zip([0, *cuts], cuts, strict=False)]
