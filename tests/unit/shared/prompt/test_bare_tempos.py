from fractions import Fraction

import pytest

from shared.prompt.reader import read_prompt


@pytest.mark.parametrize(
    ("prompt", "slow", "fast"),
    [
        ("house 122", 122, 122),
        ("techno, 128", 128, 128),
        ("174 dnb, dark", 174, 174),
        ("dnb 170-174", 170, 174),
        ("dubstep 70", 70, 70),
        ("house 122, in Am", 122, 122),
    ],
)
def test_a_number_beside_a_genre_is_its_tempo(prompt: str, slow: int, fast: int) -> None:
    assert read_prompt(prompt).tempo == (Fraction(slow), Fraction(fast))
    assert read_prompt(prompt).ignored == ()


@pytest.mark.parametrize(
    "prompt",
    [
        "hip hop 101",
        "blink 182 punk",
        "top 40 pop",
        "piano 120",
        "house 122nd street",
        "techno 909",
        "140",
    ],
)
def test_other_numbers_are_none(prompt: str) -> None:
    assert read_prompt(prompt).tempo is None


def test_a_number_with_its_unit_comes_first() -> None:
    assert read_prompt("house 122, 126 bpm").tempo == (Fraction(126), Fraction(126))
