"""Sampling of the next codes by audiocraft's rules: top-p overrides top-k, and ties at the k-th logit are kept.

It uses the Gumbel-max trick: argmax(logits / temperature + noise) follows the softmax. The noise depends only on the
request's seed, the step, the codebook and the code, not on the slot or other requests.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

# SplitMix64 (Steele, Lea, Flood 2014), with its constants as signed 64-bit integers.
_GOLDEN = -7046029254386353131
_MIX = (-4658895280553007687, -7723592293110705685)
_SHIFTS = (30, 27, 31)


@dataclass
class SamplingState:
    """The sampling parameters of each slot; every tensor has the shape [slots].

    Attributes:
        temperature: 0 always takes the most likely code.
        top_k: 0 is off.
        top_p: 0 is off.
        cfg_scale: scale of classifier-free guidance.
        seed: of the noise.
    """

    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    cfg_scale: Tensor
    seed: Tensor

    @classmethod
    def empty(cls, slots: int, device: torch.device) -> "SamplingState":
        return cls(
            temperature=torch.ones(slots, device=device),
            top_k=torch.zeros(slots, dtype=torch.int64, device=device),
            top_p=torch.zeros(slots, device=device),
            cfg_scale=torch.ones(slots, device=device),
            seed=torch.zeros(slots, dtype=torch.int64, device=device),
        )

    def of(self, slots: Tensor) -> "SamplingState":
        """The parameters of `slots`, an index tensor."""
        return SamplingState(
            self.temperature[slots], self.top_k[slots], self.top_p[slots], self.cfg_scale[slots], self.seed[slots]
        )


def guide(conditional: Tensor, unconditional: Tensor, cfg_scale: Tensor) -> Tensor:
    """Classifier-free guidance (Ho and Salimans 2022) on logits of shape [slots, codebooks, codebook_size]."""
    return unconditional + (conditional - unconditional) * cfg_scale[:, None, None]


def sample(logits: Tensor, state: SamplingState, step: Tensor, candidates: int | None = None) -> Tensor:
    """Sample one code per codebook: int64 of shape [slots, codebooks].

    Args:
        logits: float32 of shape [slots, codebooks, codebook_size].
        state: for these slots.
        step: int64 of shape [slots], unique among the steps of a request.
        candidates: the largest top_k, if no slot uses top-p or disables top-k; else None.
    """
    keep = _kept(logits, state, candidates)
    greedy = (state.temperature == 0)[:, None, None]
    temperature = torch.where(state.temperature == 0, 1.0, state.temperature)[:, None, None]
    noise = gumbel(state.seed, step, logits.shape[1], logits.shape[2]).masked_fill_(greedy, 0.0)
    return (logits / temperature).add_(noise).masked_fill_(~keep, float("-inf")).argmax(-1)


def _kept(logits: Tensor, state: SamplingState, candidates: int | None) -> Tensor:
    codebook_size = logits.shape[-1]
    top_k = torch.where(state.top_k == 0, codebook_size, state.top_k).clamp(max=codebook_size)[:, None, None]
    if candidates is not None:
        best = logits.topk(min(candidates, codebook_size), dim=-1).values
        return logits >= best.gather(-1, (top_k - 1).expand(-1, logits.shape[1], 1))
    best, codes = logits.sort(dim=-1, descending=True)
    by_rank = logits >= best.gather(-1, (top_k - 1).expand(-1, logits.shape[1], 1))
    by_mass = torch.zeros_like(by_rank).scatter_(-1, codes, _nucleus(best, state))
    return torch.where((state.top_p > 0)[:, None, None], by_mass, by_rank)


def _nucleus(best: Tensor, state: SamplingState) -> Tensor:
    """Which of the sorted logits precede the point where their mass reaches top-p."""
    temperature = torch.where(state.temperature == 0, 1.0, state.temperature)[:, None, None]
    probabilities = torch.softmax(best / temperature, -1)
    before = probabilities.cumsum(-1) - probabilities
    return before <= state.top_p[:, None, None]


def gumbel(seed: Tensor, step: Tensor, codebooks: int, codebook_size: int) -> Tensor:
    """Standard Gumbel noise, float32 of shape [slots, codebooks, codebook_size].

    Each number has 23 random bits: adding a half is then exact in float32, so none is 0 or 1.
    """
    codes = torch.arange(codebooks * codebook_size, device=seed.device).view(codebooks, codebook_size)
    key = _mix(seed * _GOLDEN + _GOLDEN) + step
    bits = _mix((_mix(key)[:, None, None] + codes) * _GOLDEN)
    uniform = ((bits & 0x7FFFFF).float() + 0.5) * 2.0**-23
    return uniform.log_().neg_().log_().neg_()


def _mix(x: Tensor) -> Tensor:
    x = (x ^ _shifted(x, _SHIFTS[0])) * _MIX[0]
    x = (x ^ _shifted(x, _SHIFTS[1])) * _MIX[1]
    return x ^ _shifted(x, _SHIFTS[2])


def _shifted(x: Tensor, bits: int) -> Tensor:
    """Logical right shift; PyTorch's operator is arithmetic."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)
