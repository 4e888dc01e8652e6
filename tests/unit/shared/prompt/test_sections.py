import pytest

from shared.prompt.reader import read_prompt
from shared.prompt.reading import SectionWish


@pytest.mark.parametrize(
    ("prompt", "phrases"),
    [
        ("drop at bar 9", ["drop at bar 9"]),
        ("8 bars in, the beat drops", ["drop at bar 9"]),
        ("techno, drop after 16 bars", ["drop at bar 17"]),
        ("house with a breakdown in the middle", ["breakdown in the middle"]),
        ("a breakdown at 0:30 and the drop at 45 seconds", ["breakdown after 30 seconds", "drop after 45 seconds"]),
        ("trance: 8 bar intro, 16-bar build-up, drop at bar 25", ["8-bar intro", "16-bar build-up", "drop at bar 25"]),
        ("an intro of 4 bars, then house", ["4-bar intro"]),
        ("[Intro] [Verse] [Chorus] [Bridge] [Outro]", ["intro", "verse", "chorus", "bridge", "outro"]),
        ("slow build, orchestral", ["crescendo"]),
        ("rock with drum fills", ["drum fills"]),
        ("no drop, no breakdown", []),
        ("guitar in drop D", []),
        ("reggae one drop", []),
        ("guitar with a chorus effect", []),
    ],
)
def test_sections_are_read_with_their_places(prompt: str, phrases: list[str]) -> None:
    assert [wish.phrase for wish in read_prompt(prompt).sections] == phrases


@pytest.mark.parametrize(
    "wish",
    [
        SectionWish("drop", bar=9), SectionWish("break", at=0.5), SectionWish("build", seconds=20.0),
        SectionWish("intro", bars=4), SectionWish("outro", at=0.75), SectionWish("crescendo"), SectionWish("fills"),
    ],
)  # fmt: skip
def test_the_phrase_of_a_wish_reads_as_the_wish(wish: SectionWish) -> None:
    assert read_prompt(wish.phrase).sections == (wish,)


def test_a_section_can_be_refused() -> None:
    reading = read_prompt("techno, no drop and no breakdown")
    assert reading.refused == {"drop", "break"}
    assert [each.meaning for each in reading.understood] == ["techno", "no drop", "no breakdown"]


def test_bars_of_a_section_are_no_length_of_the_piece() -> None:
    reading = read_prompt("16 bars of house with a 4 bar intro")
    assert reading.bars == 16
    assert reading.sections == (SectionWish("intro", bars=4),)


def test_a_place_without_a_section_is_ignored() -> None:
    assert read_prompt("piano at bar 9, in the middle").ignored == ("at bar 9", "in the middle")
