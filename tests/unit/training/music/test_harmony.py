"""Numerals, and what may be sung over them."""

import pytest

from training.music.harmony import MAJOR_SCALE, MINOR_SCALE, chord_scale, melody_scale
from training.music.style import moods, styles
from worker.engine.sampler.degrees import Degree, degree, progression
from worker.engine.sampler.score import Quality


@pytest.mark.parametrize(
    ("numeral", "semitones", "quality"),
    [
        ("I", 0, Quality.MAJOR),
        ("ii7", 2, Quality.MINOR7),
        ("V7", 7, Quality.DOMINANT7),
        ("bVII", 10, Quality.MAJOR),
        ("IVmaj7", 5, Quality.MAJOR7),
        ("bII5", 1, Quality.POWER),
    ],
)
def test_numerals_are_read(numeral: str, semitones: int, quality: Quality) -> None:
    assert degree(numeral) == Degree(semitones, quality)


def test_what_is_no_chord_is_refused() -> None:
    with pytest.raises(ValueError, match="H7"):
        degree("H7")


def test_a_comma_parts_a_bar() -> None:
    assert progression("I ii7,V7") == ((degree("I"),), (degree("ii7"), degree("V7")))


@pytest.mark.parametrize(
    ("numeral", "minor", "scale"),
    [
        ("I", False, MAJOR_SCALE),
        ("i", True, MINOR_SCALE),
        ("V7", True, (0, 2, 3, 5, 7, 8, 11)),
        ("I7", False, (0, 2, 4, 5, 7, 9, 10)),
        ("VI7", False, (1, 2, 4, 5, 7, 9, 11)),
        ("IV", True, (0, 2, 3, 5, 7, 9, 10)),
        ("iv", False, (0, 2, 4, 5, 7, 8, 11)),
        ("bVI", False, (0, 2, 3, 5, 7, 8, 11)),
    ],
)
def test_the_scale_follows_the_chord(numeral: str, minor: bool, scale: tuple[int, ...]) -> None:
    assert chord_scale(degree(numeral), minor) == scale


def test_pentatonic_melodies_keep_the_chord_s_notes() -> None:
    assert melody_scale(degree("IV"), False, "pentatonic") == (0, 2, 4, 5, 7, 9)


def test_all_progressions_of_styles_and_moods_are_readable() -> None:
    of_styles = [(*style.major, *style.in_minor) for style in styles().values()]
    of_moods = [(*mood.major, *mood.in_minor) for mood in moods().values()]
    assert all(progression(text) for texts in of_styles + of_moods for text in texts)
