"""The starter's language model for training: MusicGen's transformer, with audiocraft's parameter names.

audiocraft's own class attends to the padding of short captions. Here captions of different length share a batch, so
padding is masked, and each caption gives the same result as in inference.
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gelu, linear, scaled_dot_product_attention

from worker.engine.sampler import conductor

MAX_PERIOD = 10_000.0
# Steps of the count-in, of the first bar, and the delay of the last codebook.
OPENING = 40
# Number of the conductor's codes at the beginning of each bar; see `Emphasis`.
HEADER = len(conductor.OPENING)
# Targets with this value do not count in the loss.
IGNORED = -100


@dataclass(frozen=True)
class Shape:
    """The size of the model. `text_dim` is the width of the text encoder, `segment` the frames in a window."""

    card: int
    dim: int = 256
    heads: int = 4
    layers: int = 6
    codebooks: int = 8
    text_dim: int = 128
    segment: int = 512

    def as_dict(self) -> dict[str, int]:
        """The fields of a checkpoint."""
        return asdict(self)


class Attention(nn.Module):
    """Projections as in audiocraft's custom attention: one weight for queries, keys and values."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim).normal_(std=dim**-0.5))
        self.out_proj = nn.Linear(dim, dim, bias=False)
        self._heads = heads

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self._heads, -1).transpose(1, 2)

    def to_past(self, x: Tensor) -> Tensor:
        """Causal self-attention."""
        query, key, value = map(self._split, linear(x, self.in_proj_weight).chunk(3, -1))
        return self._merge(scaled_dot_product_attention(query, key, value, is_causal=True))

    def to_text(self, x: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Cross-attention to `text`, masked by `mask` of shape [batch, 1, 1, tokens]."""
        dim = x.shape[-1]
        query = self._split(linear(x, self.in_proj_weight[:dim]))
        key, value = map(self._split, linear(text, self.in_proj_weight[dim:]).chunk(2, -1))
        return self._merge(scaled_dot_product_attention(query, key, value, attn_mask=mask))

    def _merge(self, x: Tensor) -> Tensor:
        merged: Tensor = self.out_proj(x.transpose(1, 2).flatten(2))
        return merged


class TrainableLayer(nn.Module):
    """Pre-norm: self-attention, cross-attention, feed-forward."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.self_attn, self.cross_attention = Attention(dim, heads), Attention(dim, heads)
        self.linear1, self.linear2 = nn.Linear(dim, 4 * dim, bias=False), nn.Linear(4 * dim, dim, bias=False)
        self.norm1, self.norm_cross, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        x = x + self.self_attn.to_past(self.norm1(x))
        x = x + self.cross_attention.to_text(self.norm_cross(x), text, mask)
        forwarded: Tensor = self.linear2(gelu(self.linear1(self.norm2(x))))
        return x + forwarded


class StarterModel(nn.Module):
    """Codes in the delay pattern in, logits of the next step out."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.emb = nn.ModuleList(nn.Embedding(shape.card + 1, shape.dim) for _ in range(shape.codebooks))
        self._layers = [TrainableLayer(shape.dim, shape.heads) for _ in range(shape.layers)]
        self.transformer = nn.ModuleDict({"layers": nn.ModuleList(self._layers)})
        self.out_norm = nn.LayerNorm(shape.dim)
        self.linears = nn.ModuleList(nn.Linear(shape.dim, shape.card, bias=False) for _ in range(shape.codebooks))
        self.output_proj = nn.Linear(shape.text_dim, shape.dim)
        # The same power as the sinusoidal positions. With less, the positions drown both the codes and the captions.
        for parameter in self.emb.parameters():
            nn.init.normal_(parameter, std=shape.codebooks**-0.5)
        nn.init.normal_(self.output_proj.weight, std=shape.text_dim**-0.5)
        for layer in self._layers:
            # Small initial weights in deep residual sums (GPT-2, section 2.3).
            for last in (layer.self_attn.out_proj, layer.cross_attention.out_proj, layer.linear2):
                nn.init.normal_(last.weight, std=last.weight.shape[1] ** -0.5 * (2 * shape.layers) ** -0.5)

    def forward(self, sequence: Tensor, text: Tensor, mask: Tensor) -> Tensor:
        """Logits.

        Args:
            sequence: codes in the delay pattern, int64 of shape [batch, codebooks, steps].
            text: output of the text encoder, [batch, tokens, text_dim]; zeros are the null condition.
            mask: which tokens are not padding, bool of shape [batch, tokens].

        Returns:
            Float of shape [batch, codebooks, steps, card]: the prediction after each step.
        """
        steps = sequence.shape[2]
        x = torch.stack([embed(sequence[:, k]) for k, embed in enumerate(self.emb)]).sum(0)
        x = x + sinusoid(steps, self.shape.dim, x.device)
        # The null condition is zeros after the projection, as in audiocraft.
        given = mask.any(1)[:, None, None]
        projected = self.output_proj(text) * given
        seen = (mask | ~given[:, :, 0])[:, None, None]
        for layer in self._layers:
            x = layer(x, projected, seen)
        x = self.out_norm(x)
        return torch.stack([head(x) for head in self.linears], 1)


def sinusoid(steps: int, dim: int, device: torch.device) -> Tensor:
    """Sinusoidal positions as in audiocraft: cosines, then sines."""
    half = dim // 2
    phase = torch.arange(steps, device=device)[:, None] / MAX_PERIOD ** (torch.arange(half, device=device) / (half - 1))
    return torch.cat([phase.cos(), phase.sin()], -1)


def delayed(codes: Tensor, special: int) -> Tensor:
    """The delay pattern: codebook k lags by k. [batch, codebooks, frames] → [batch, codebooks, frames + codebooks]."""
    batch, codebooks, frames = codes.shape
    sequence = torch.full((batch, codebooks, frames + codebooks), special, dtype=codes.dtype, device=codes.device)
    for k in range(codebooks):
        sequence[:, k, 1 + k : 1 + k + frames] = codes[:, k]
    return sequence


@dataclass(frozen=True)
class Emphasis:
    """Loss weights; all other codes have weight 1.

    A piece continues as it began, so only its beginning depends on the caption. Without weights that is a hundredth of
    all codes, and captions are learnt late.

    Attributes:
        opening: weight of the codes in the first `OPENING` steps.
        header: weight of the conductor's first `HEADER` codes: tempo, meter, key, section, players and mood.
    """

    opening: float = 1.0
    header: float = 1.0


def losses(
    logits: Tensor, sequence: Tensor, special: int, emphasis: Emphasis | None = None, opens: Tensor | None = None
) -> Tensor:
    """Cross-entropy of each codebook, in nats per code: [codebooks]. Special tokens do not count.

    Args:
        logits: output of `StarterModel`.
        sequence: input of `StarterModel`.
        special: the special token.
        emphasis: weights of the codes; all 1 if None.
        opens: which sequences contain their piece's beginning, bool of shape [batch]; all if None.
    """
    targets = sequence[:, :, 1:].masked_fill(sequence[:, :, 1:] == special, IGNORED)
    weights = _weights(targets, emphasis or Emphasis())
    if opens is not None:
        weights = torch.where(opens[:, None, None], weights, (targets != IGNORED).float())
    found = []
    for k in range(targets.shape[1]):
        loss = cross_entropy(logits[:, k, :-1].flatten(0, 1).float(), targets[:, k].flatten(), reduction="none")
        found.append((loss.view_as(targets[:, k]) * weights[:, k]).sum() / weights[:, k].sum())
    return torch.stack(found)


def _weights(targets: Tensor, emphasis: Emphasis) -> Tensor:
    """The weight of each target, in the shape of `targets`."""
    step = torch.arange(targets.shape[2], device=targets.device)
    weights = torch.where(step < OPENING, emphasis.opening, 1.0).expand(targets.shape).clone()
    weights[:, 0, :HEADER] = emphasis.header
    return weights * (targets != IGNORED)
