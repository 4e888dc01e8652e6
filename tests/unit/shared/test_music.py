"""Bars, meters and keys as requests spell them."""

from fractions import Fraction

import pytest

from shared.music import Key, bar_quarters, bar_seconds, grid_samples, parse_key


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("A minor", "A minor"),
        ("Am", "A minor"),
        ("F# major", "F# major"),
        ("F#m", "F# minor"),
        ("Bb", "Bb major"),
        ("B-flat major", "Bb major"),
        ("A♭", "Ab major"),
        ("Cmin", "C minor"),
        ("c sharp minor", "C# minor"),
        ("Gb", "F# major"),
        ("CM", "C major"),
        ("a  MINOR", "A minor"),
        ("E Flat Maj", "Eb major"),
    ],
)
def test_a_key_is_read_in_its_usual_spellings(text: str, name: str) -> None:
    assert parse_key(text).name == name


@pytest.mark.parametrize("text", ["", "H minor", "Am7", "A minor minor", "A dorian", "major", "C##", "Aminormajor"])
def test_text_that_is_no_key_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no key\. Examples: A minor"):
        parse_key(text)


def test_the_long_form_of_every_key_reads_as_itself() -> None:
    for tonic in range(12):
        for minor in (False, True):
            key = Key(tonic, minor)
            assert parse_key(key.name) == key


@pytest.mark.parametrize(
    ("meter", "quarters"),
    [("4/4", 4), ("3/4", 3), ("6/8", 3), ("7/8", Fraction(7, 2)), ("2/2", 4), ("5/16", Fraction(5, 4))],
)
def test_a_bar_is_counted_in_quarter_notes(meter: str, quarters: Fraction) -> None:
    assert bar_quarters(meter) == quarters


@pytest.mark.parametrize("meter", ["", "4", "4/0", "0/4", "4/3", "17/4", "4/32", "04/4", "4/4 ", "４/4"])
def test_text_that_is_no_meter_is_refused_with_examples(meter: str) -> None:
    with pytest.raises(ValueError, match=r"is no meter\. Examples: 4/4"):
        bar_quarters(meter)


def test_whole_bars_have_their_exact_length() -> None:
    assert bar_seconds(120) == 2
    assert bar_seconds(124.5, "6/8") == 3 * 60 / Fraction(124.5)
    assert grid_samples(8, 124, "4/4", 44_100) == round(8 * 4 * 60 * 44_100 / 124)
