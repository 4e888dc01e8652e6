"""The tables are whole."""

import runpy
from pathlib import Path

import pytest

from gateway.prompts import VOCABULARY
from training.music.style import Rows, Style, moods, styles

BARS = {12, 16, 24, 32}


def test_every_genre_and_every_mood_is_known() -> None:
    assert set(styles(1)) == {genre.name for genre in VOCABULARY.genres} < set(styles(2))
    assert set(moods()) == set(VOCABULARY.moods)


@pytest.mark.parametrize("style", styles().values(), ids=lambda style: style.name)
def test_patterns_are_bars(style: Style) -> None:
    grooves: list[Rows] = [rows for level in style.drums for rows in level]
    for rows in (*grooves, *style.shaker, *style.congas, *style.timpani):
        assert len({len(row) for row in rows.values()}) == 1
        assert len(next(iter(rows.values()))) in BARS
    for levels in (style.bass, style.comping, style.arpeggio, style.lead):
        assert all(len(row) in BARS for level in levels for row in level)


@pytest.mark.parametrize("style", styles().values(), ids=lambda style: style.name)
def test_grooves_differ_from_every_other_genre_s(style: Style) -> None:
    own = {str(rows) for level in style.drums[1:] for rows in level}
    for other in styles().values():
        if other is not style:
            theirs = {str(rows) for level in other.drums[1:] for rows in level}
            assert len(own & theirs) < len(own)


def test_the_command_prints_a_roll_and_writes_midi(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["training.music", "--count", "2", "--seed", "3", "--midi", str(tmp_path)])
    runpy.run_module("training.music", run_name="__main__")
    printed = capsys.readouterr().out
    assert "3: " in printed
    assert "bar 1: " in printed
    assert {file.read_bytes()[:4] for file in tmp_path.iterdir()} == {b"MThd"}
    assert {file.name for file in tmp_path.iterdir()} == {"train-3.mid", "train-4.mid"}
