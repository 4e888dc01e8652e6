"""Warnings where the prompt's words state another length than the recipe."""

from pathlib import Path

import pytest

from shared.messages import Recipe
from tests.unit.worker.production.takes import made, recipe, take
from worker.production.asked_length import length_warnings

WHY = "the request's fields and the longest possible duration come before its words."


def of(prompt: str, duration: float = 16.0, bars: int | None = 8) -> tuple[str, ...]:
    return length_warnings(
        Recipe(model="small", prompt=prompt, duration=duration, bars=bars, bpm=120.0 if bars else None, meter="4/4")
    )


@pytest.mark.parametrize(
    "prompt", ["house", "8 bars of house", "16 second loop", "15.5 seconds of house", "an 8-bar loop"]
)
def test_the_length_that_the_prompt_states_is_no_warning(prompt: str) -> None:
    assert of(prompt) == ()


@pytest.mark.parametrize(
    ("prompt", "bars", "sentence"),
    [
        ("64 bars of house", 8, f"The prompt says 64 bars, but the music has 8 bars: {WHY}"),
        ("one bar of house", None, f"The prompt says 1 bar, but the music has 16 seconds: {WHY}"),
        ("30 seconds of house", None, f"The prompt says 30 seconds, but the music has 16 seconds: {WHY}"),
        ("30 seconds of house", 8, f"The prompt says 30 seconds, but the music has 8 bars: {WHY}"),
    ],
)
def test_another_length_is_told(prompt: str, bars: int | None, sentence: str) -> None:
    assert of(prompt, bars=bars) == (sentence,)


def test_the_files_of_a_take_come_with_the_warning(tmp_path: Path) -> None:
    assert made(take(), recipe(prompt="64 bars of house"), tmp_path).warnings[0].startswith("The prompt says 64 bars")
