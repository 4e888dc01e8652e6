"""T5's encoder in plain PyTorch, for inference on one sequence at a time.

Sources: Raffel et al., "Exploring the Limits of Transfer Learning", 2020; for the gated feed-forward block Shazeer,
"GLU Variants Improve Transformer", 2020. The tensors' names are those of transformers' `T5EncoderModel`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.text.configuration import T5Configuration
from worker.engine.text.weights import EncoderWeights


@dataclass(frozen=True, slots=True)
class Block:
    """The tensors of one layer.

    Attributes:
        attention_norm, feed_forward_norm: [d_model].
        query_key_value: [3 * heads * d_kv, d_model], computed with one product.
        attention_output: [d_model, heads * d_kv].
        feed_forward_input: [d_ff, d_model]; with a gate [2 * d_ff, d_model], the gate first.
        feed_forward_output: [d_model, d_ff].
    """

    attention_norm: Tensor
    query_key_value: Tensor
    attention_output: Tensor
    feed_forward_norm: Tensor
    feed_forward_input: Tensor
    feed_forward_output: Tensor


class T5Encoder:
    """Maps token ids to one vector per token."""

    def __init__(self, configuration: T5Configuration, weights: EncoderWeights) -> None:
        """Take all of `weights`.

        Raises:
            UnsupportedTextEncoderError: if the weights do not match the configuration.
        """
        self.configuration = configuration
        buckets, heads = configuration.relative_attention_num_buckets, configuration.num_heads
        self._embedding = weights.take("shared.weight", configuration.vocab_size, configuration.d_model)
        self._blocks = [_take_block(configuration, weights, layer) for layer in range(configuration.num_layers)]
        # Only the first block has a table; all blocks use its bias.
        table = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        self._bias_table = weights.take(table, buckets, heads)
        self._final_norm = weights.take("encoder.final_layer_norm.weight", configuration.d_model)
        weights.check_nothing_left()

    @property
    def device(self) -> torch.device:
        """The device of the weights; the tokens must be on it."""
        return self._embedding.device

    @torch.no_grad()
    def __call__(self, tokens: Tensor) -> Tensor:
        """The vectors, float32 [tokens, d_model], of token ids [tokens], all below vocab_size."""
        bias = position_bias(self._bias_table, len(tokens), self.configuration.relative_attention_max_distance)
        hidden = functional.embedding(tokens, self._embedding)
        for block in self._blocks:
            hidden = hidden + self._attend(block, self._norm(hidden, block.attention_norm), bias)
            hidden = hidden + self._feed_forward(block, self._norm(hidden, block.feed_forward_norm))
        return self._norm(hidden, self._final_norm)

    def _norm(self, hidden: Tensor, weight: Tensor) -> Tensor:
        return functional.rms_norm(hidden, weight.shape, weight, self.configuration.layer_norm_epsilon)

    def _attend(self, block: Block, hidden: Tensor, bias: Tensor) -> Tensor:
        projected = functional.linear(hidden, block.query_key_value)
        split = projected.view(len(hidden), 3, self.configuration.num_heads, self.configuration.d_kv)
        query, key, value = split.permute(1, 2, 0, 3)
        # T5 does not divide by the square root of d_kv; its initialisation accounts for that.
        shares = torch.baddbmm(bias, query, key.transpose(1, 2)).softmax(dim=-1)
        mixed = torch.bmm(shares, value).transpose(0, 1).reshape(len(hidden), -1)
        return functional.linear(mixed, block.attention_output)

    def _feed_forward(self, block: Block, hidden: Tensor) -> Tensor:
        inner = functional.linear(hidden, block.feed_forward_input)
        if self.configuration.gated:
            gate, inner = inner.chunk(2, dim=-1)
            # T5's "gelu" is the tanh approximation, `gelu_new` in transformers.
            inner = functional.gelu(gate, approximate="tanh") * inner
        else:
            inner = functional.relu(inner)
        return functional.linear(inner, block.feed_forward_output)


def _take_block(configuration: T5Configuration, weights: EncoderWeights, layer: int) -> Block:
    model, inner, wide = configuration.d_model, configuration.num_heads * configuration.d_kv, configuration.d_ff
    attention, feed_forward = f"encoder.block.{layer}.layer.0.", f"encoder.block.{layer}.layer.1."
    inputs = ["wi_0", "wi_1"] if configuration.gated else ["wi"]
    return Block(
        attention_norm=weights.take(f"{attention}layer_norm.weight", model),
        query_key_value=torch.cat(
            [weights.take(f"{attention}SelfAttention.{name}.weight", inner, model) for name in "qkv"]
        ),
        attention_output=weights.take(f"{attention}SelfAttention.o.weight", model, inner),
        feed_forward_norm=weights.take(f"{feed_forward}layer_norm.weight", model),
        feed_forward_input=torch.cat(
            [weights.take(f"{feed_forward}DenseReluDense.{name}.weight", wide, model) for name in inputs]
        ),
        feed_forward_output=weights.take(f"{feed_forward}DenseReluDense.wo.weight", model, wide),
    )


def position_bias(table: Tensor, tokens: int, max_distance: int) -> Tensor:
    """T5's relative position bias [heads, tokens, tokens], added to the attention scores of query i and key j.

    Source: Raffel et al. 2020, section 2.1; bucket borders as in mesh_tensorflow/transformer/transformer_layers.py,
    `_relative_position_bucket`.

    Args:
        table: [buckets, heads], learned.
        tokens: length of the sequence.
        max_distance: in tokens; all distances from there on share a bucket.
    """
    positions = torch.arange(tokens, device=table.device)
    distance = positions[None, :] - positions[:, None]
    return functional.embedding(position_bucket(distance, table.shape[0], max_distance), table).permute(2, 0, 1)


def position_bucket(distance: Tensor, buckets: int, max_distance: int) -> Tensor:
    """The bucket, 0 to `buckets` - 1, of each signed distance (key minus query), of the same shape.

    Half of the buckets are for keys after the query. In each half, half of the buckets hold one distance each; the rest
    grow logarithmically up to `max_distance`.
    """
    side = buckets // 2
    exact = side // 2
    far = distance.abs()
    # The clamp avoids log(0); those distances use the exact branch.
    ratio = torch.log(far.clamp(min=1).float() / exact) / math.log(max_distance / exact)
    logarithmic = (exact + (ratio * (side - exact)).long()).clamp(max=side - 1)
    return (distance > 0).long() * side + torch.where(far < exact, far, logarithmic)
