"""What the graphs of other runtimes are made of: a checkpoint's weights as NumPy arrays."""

import numpy as np
import torch
from numpy.typing import NDArray

from worker.engine.batching.checkpoint import read_checkpoint
from worker.engine.batching.kv_cache import PARTS
from worker.engine.batching.language_model import TextProjection, sinusoid

# Tokens of the text, and positions of a window of 30 seconds.
TOKENS, POSITIONS = 12, 1504
# Of layer normalization.
EPSILON = 1e-5
TINY = 1e-12
# The number that stands in all keys and values of earlier positions.
FILLING = 0.1

Floats = NDArray[np.float32]


class StepWeights:
    """The language model of a checkpoint whose text enters by cross-attention, and one text for all rows."""

    def __init__(self, reference: str) -> None:
        checkpoint = read_checkpoint(reference)
        self.config, self.tensors = checkpoint.config, checkpoint.weights
        text = torch.randn(TOKENS, self.config.dim, generator=torch.Generator().manual_seed(0))
        # [layers, 2, heads, tokens, head_dim]
        self.text = TextProjection(self.config, self.tensors, "float32", torch.device("cpu"))(text)

    def array(self, name: str) -> Floats:
        """One tensor, as float32."""
        return self.tensors[f"{name}.weight" if f"{name}.weight" in self.tensors else name].float().numpy()

    def of_books(self, name: str) -> Floats:
        """The tensors of all codebooks, one below the other."""
        return np.concatenate([self.array(f"{name}.{book}") for book in range(self.config.codebooks)])

    def text_query(self, layer: str) -> Floats:
        """[dim, dim]: the part of a layer's cross-attention that is not about the text."""
        return self.array(f"{layer}.cross_attention.in_proj_weight")[: self.config.dim]

    def sinusoid(self) -> Floats:
        return sinusoid(POSITIONS, self.config.dim, self.config.max_period).numpy()

    def first_codes(self) -> NDArray[np.int64]:
        """Where each codebook begins in `of_books("emb")`."""
        return np.arange(self.config.codebooks, dtype=np.int64) * (self.config.codebook_size + 1)

    def products(self) -> int:
        """How many weights a step multiplies with."""
        config = self.config
        return config.layers * self.layer_products() + config.codebooks * config.codebook_size * config.dim

    def layer_products(self) -> int:
        """How many weights each layer multiplies with."""
        return self.config.dim * (6 * self.config.dim + 2 * self.config.hidden)

    def cached(self, users: int, position: int) -> int:
        """How many numbers of keys and values a step reads."""
        return 2 * self.config.layers * self.config.dim * PARTS * users * (position + 1)


def round_blocks(weight: Floats, block: int) -> tuple[NDArray[np.int8], Floats]:
    """[out, in] → int8 of shape [out, blocks, block], the last one padded with zeros, and scales of [out, blocks]."""
    blocks = -(-weight.shape[1] // block)
    padded = np.pad(weight, ((0, 0), (0, blocks * block - weight.shape[1]))).reshape(len(weight), blocks, block)
    scales = np.maximum(np.abs(padded).max(-1), TINY) / 127
    return np.rint(padded / scales[..., None]).astype(np.int8), scales.astype(np.float32)
