"""T5's relative position bias: how much a token attends to another one by their distance alone.

Source: Raffel et al., "Exploring the Limits of Transfer Learning", 2020, section 2.1; bucket borders as in
mesh_tensorflow/transformer/transformer_layers.py, `_relative_position_bucket`.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional


def position_bias(table: Tensor, tokens: int, max_distance: int) -> Tensor:
    """The bias [heads, tokens, tokens] to add to the attention scores of query i and key j.

    Args:
        table: [buckets, heads], learned.
        tokens: length of the sequence.
        max_distance: in tokens; from there on all distances share a bucket.
    """
    positions = torch.arange(tokens, device=table.device)
    distance = positions[None, :] - positions[:, None]
    return functional.embedding(position_bucket(distance, table.shape[0], max_distance), table).permute(2, 0, 1)


def position_bucket(distance: Tensor, buckets: int, max_distance: int) -> Tensor:
    """The bucket, 0 to `buckets` - 1, of each signed distance (key minus query), of the same shape.

    Half of the buckets are for keys behind the query. Of each half, half are for one distance each and the rest grow
    logarithmically up to `max_distance`.
    """
    side = buckets // 2
    exact = side // 2
    far = distance.abs()
    # The clamp only keeps log(0) away; those distances take the exact branch.
    ratio = torch.log(far.clamp(min=1).float() / exact) / math.log(max_distance / exact)
    logarithmic = (exact + (ratio * (side - exact)).long()).clamp(max=side - 1)
    return (distance > 0).long() * side + torch.where(far < exact, far, logarithmic)
