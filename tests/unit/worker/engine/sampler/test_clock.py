from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.messages import Recipe
from shared.music import bar_seconds, grid_samples
from worker.engine.sampler.clock import Clock, swing_share
from worker.engine.sampler.count_in import make_count_in
from worker.engine.sampler.score import Header
from worker.engine.sampler.wish import read_recipe

RATE = 32_000


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 128), st.floats(40, 240), st.sampled_from((3, 4)))
def test_bars_are_exact_to_the_sample(bars: int, bpm: float, beats: int) -> None:
    meter = f"{beats}/4"
    duration = float(bars * bar_seconds(bpm, meter))
    recipe = Recipe(model="starter", prompt="piano", duration=duration, bars=bars, bpm=bpm, meter=meter)
    count_in = make_count_in(read_recipe(recipe))
    samples = grid_samples(bars, bpm, meter, RATE)
    assert count_in.frames(samples) == (1 + bars) * 4 * beats
    clock, header = Clock(count_in.tempo), Header(120, beats)
    for _ in range(bars * header.steps):
        clock.advance(header)
    assert clock.position == samples


@pytest.mark.parametrize(
    ("swing", "places"), [(0, (0, 1, 2, 3)), (2, (0, 4 / 3, 2, 10 / 3)), (3, (0, 4 / 3, 8 / 3, 10 / 3))]
)
def test_swung_eighths_are_triplets(swing: int, places: tuple[float, ...]) -> None:
    found = [place % 4 + float(swing_share(swing, place)) for place in range(4, 8)]
    assert found == pytest.approx(places)


def test_swing_follows_the_exact_tempo() -> None:
    assert Clock(Fraction("92.5")).swing_delay(Header(93, swing=2), 3) == int(Fraction(60 * RATE, 370) / 3)
