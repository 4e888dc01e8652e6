"""Sampled codes follow audiocraft's distribution and depend only on the request."""

import pytest
import torch
from audiocraft.utils import utils
from torch import Tensor

from worker.engine.batching.sampling import SamplingState, guide, gumbel, sample

CODEBOOK_SIZE = 12
DRAWS = 20_000
# The chi-squared distribution's 99.99% quantile for 11 degrees of freedom.
LIMIT = 37.4


def logits(ties: bool = False) -> Tensor:
    values = torch.randn(CODEBOOK_SIZE, generator=torch.Generator().manual_seed(3)) * 1.5
    return values.round() if ties else values


def state(slots: int, temperature: float = 1.0, top_k: int = 0, top_p: float = 0.0, seed: int = 0) -> SamplingState:
    empty = SamplingState.empty(slots, torch.device("cpu"))
    empty.temperature.fill_(temperature)
    empty.top_k.fill_(top_k)
    empty.top_p.fill_(top_p)
    empty.seed.copy_(torch.arange(seed, seed + slots))
    return empty


def audiocraft_probabilities(values: Tensor, temperature: float, top_k: int, top_p: float) -> Tensor:
    """The distribution that audiocraft's functions sample from, captured instead of drawn."""
    seen: list[Tensor] = []

    def look(probabilities: Tensor, num_samples: int, **_: object) -> Tensor:
        seen.append(probabilities.clone())
        return torch.zeros(*probabilities.shape[:-1], num_samples, dtype=torch.int64)

    probabilities = torch.softmax(values / temperature, -1)[None]
    original, utils.multinomial = utils.multinomial, look
    try:
        if top_p > 0:
            order = probabilities.argsort(descending=True, stable=True)
            utils.sample_top_p(probabilities, top_p)
            return torch.zeros_like(values).scatter_(0, order[0], seen[0][0])
        if top_k > 0:
            utils.sample_top_k(probabilities, top_k)
            return seen[0][0]
        return probabilities[0]
    finally:
        utils.multinomial = original


@pytest.mark.parametrize("candidates", [None, CODEBOOK_SIZE])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(
    ("temperature", "top_k"), [(1.0, 0), (0.5, 0), (2.0, 5), (1.0, 1), (1.0, CODEBOOK_SIZE), (0.7, 3)]
)
def test_top_k_follows_audiocraft(temperature: float, top_k: int, ties: bool, candidates: int | None) -> None:
    check_distribution(logits(ties), temperature, top_k, 0.0, candidates)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 0.9), (1.0, 0.3), (1.5, 0.01), (0.5, 0.999), (1.0, 1.0)])
def test_top_p_overrides_top_k_as_in_audiocraft(temperature: float, top_p: float) -> None:
    check_distribution(logits(), temperature, 2, top_p, None)


def check_distribution(values: Tensor, temperature: float, top_k: int, top_p: float, candidates: int | None) -> None:
    logits, step = values.expand(DRAWS, 1, CODEBOOK_SIZE), torch.zeros(DRAWS).long()
    drawn = sample(logits, state(DRAWS, temperature, top_k, top_p), step, candidates)
    counts = torch.bincount(drawn.flatten(), minlength=CODEBOOK_SIZE).double()
    expected = audiocraft_probabilities(values, temperature, top_k, top_p).double() * DRAWS
    assert not counts[expected == 0].any()
    possible = expected > 0
    assert ((counts - expected)[possible] ** 2 / expected[possible]).sum() < LIMIT


def test_noise_has_the_gumbel_distribution() -> None:
    noise = gumbel(torch.arange(200), torch.arange(200), 4, 2048)
    assert noise.isfinite().all()
    assert noise.mean().item() == pytest.approx(0.5772, abs=0.005)
    assert noise.var().item() == pytest.approx(torch.pi**2 / 6, abs=0.01)


def test_noise_is_uncorrelated_across_seeds_steps_and_codebooks() -> None:
    seeds = gumbel(torch.arange(64), torch.full((64,), 5), 4, 512).flatten(1)
    steps = gumbel(torch.full((64,), 7), torch.arange(64), 4, 512).flatten(1)
    for noise in (seeds, steps, steps.view(256, 512)):
        correlation = torch.corrcoef(noise) - torch.eye(len(noise))
        assert correlation.abs().max() < 6 / noise.shape[1] ** 0.5


def test_sampling_is_independent_of_slot_and_batch() -> None:
    values = torch.randn(1, 4, 64)
    alone = sample(values, state(1, 0.9, 20, seed=77), torch.tensor([31]), 20)
    crowd = state(5, 1.3, 0, 0.5, seed=500)
    crowd.temperature[3], crowd.top_k[3], crowd.top_p[3], crowd.seed[3] = 0.9, 20, 0.0, 77
    many = torch.randn(5, 4, 64)
    many[3] = values[0]
    steps = torch.tensor([1, 2, 3, 31, 4])
    assert sample(many, crowd, steps)[3].equal(alone[0])


def test_temperature_zero_takes_the_most_likely_code() -> None:
    values = torch.randn(3, 4, 64)
    assert sample(values, state(3, 0.0, 10), torch.arange(3)).equal(values.argmax(-1))


def test_guidance_scales_the_difference_from_the_unconditional_row() -> None:
    conditional, unconditional = torch.randn(2, 3, 5), torch.randn(2, 3, 5)
    guided = guide(conditional, unconditional, torch.tensor([1.0, 3.0]))
    torch.testing.assert_close(guided[0], conditional[0])
    torch.testing.assert_close(guided[1], unconditional[1] + 3 * (conditional - unconditional)[1])
