"""What the tags of a take are, and that no text can damage a file."""

import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import mutagen
import pytest
import soundfile
import wavinfo
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.files import AudioFormat, SampleFormat
from shared.messages import Recipe
from shared.music import Measured, Music, SectionStart, grid_samples
from shared.version import SERVICE
from tests.unit.worker.production.formats import takes
from tests.unit.worker.production.formats.test_riff import chunks_of
from worker.production.formats import Tags, read_recipe, tags_for, write_audio
from worker.production.formats.tags import printable


def tags_of(music: Music, measured: Measured | None = None, seconds: float = 4.0) -> Tags:
    return tags_for(takes.RECIPE, music, measured or Measured(), None, round(seconds * 1000), 1000)


def labels(tags: Tags) -> list[tuple[int, str]]:
    return [(mark.frame, mark.label) for mark in tags.marks()]


def test_bars_are_marked_from_tempo_and_meter() -> None:
    music = Music(bpm=120.0, meter="3/4", bars=2, sections=(SectionStart(name="verse", bar=2, start=1.5),))
    assert labels(tags_of(music, seconds=3)) == [(0, "Bar 1"), (1500, "verse (bar 2)")]


def test_the_bar_that_the_end_cuts_is_marked_too() -> None:
    assert labels(tags_of(Music(bpm=120.0, meter="3/4"), seconds=3.2)) == [
        (0, "Bar 1"),
        (1500, "Bar 2"),
        (3000, "Bar 3"),
    ]


def test_measured_downbeats_are_marked_as_they_are() -> None:
    measured = Measured(downbeats=(0.0, 1.97, 3.96, 9.0))
    assert labels(tags_of(Music(bpm=120.0, meter="4/4"), measured)) == [(0, "Bar 1"), (1970, "Bar 2"), (3960, "Bar 3")]


def test_marks_and_chapters_are_bounded() -> None:
    sections = tuple(SectionStart(name="a", bar=bar, start=bar / 1000) for bar in range(2000))
    tags = tags_of(Music(sections=sections), Measured(downbeats=tuple(bar / 1000 for bar in range(2000))))
    assert (len(tags.marks()), len(tags.chapters())) == (512, 255)


def test_unknown_music_is_not_marked() -> None:
    assert labels(tags_of(Music())) == []


@pytest.mark.parametrize(("bpm", "text"), [(120.0, "120"), (124.5, "124.5"), (98.123456789, "98.123457"), (40.0, "40")])
def test_the_tempo_has_as_many_decimals_as_it_needs(bpm: float, text: str) -> None:
    assert tags_of(Music(bpm=bpm)).bpm_text == text


@pytest.mark.parametrize(
    ("key", "short", "note"),
    [
        ("A minor", "Am", 57),
        ("F# major", "F#", 54),
        ("Bb major", "Bb", 58),
        ("C# minor", "C#m", 49),
        ("C major", "C", 48),
    ],
)
def test_the_key_is_known_in_every_form(key: str, short: str, note: int) -> None:
    tags = tags_of(Music(key=key))
    assert (tags.short_key, tags.root_note) == (short, note)


def test_only_a_whole_loop_is_a_loop() -> None:
    assert takes.tags().is_loop
    assert takes.tags(grid_samples(takes.BARS, takes.BPM, takes.METER, 44_100), 44_100).is_loop
    # A client stopped the job early and kept its audio.
    assert not takes.tags(takes.FRAMES - 1).is_loop
    assert not takes.tags(loop=False).is_loop


def test_a_stem_is_named_after_its_instrument_and_has_no_loudness_of_the_mix() -> None:
    stem = takes.tags(instrument="strings")
    assert (stem.title, stem.lufs, stem.true_peak) == ("Fête du café (strings)", None, None)
    assert stem.fields()["INSTRUMENT"] == "strings"


@pytest.mark.parametrize(
    ("title", "prompt", "found"),
    [
        ("My song", "house", "My song"),
        (None, "house", "house"),
        (None, "春" * 500, "春" * 99 + "…"),
        (None, "\x00\x1b", SERVICE),
    ],
)
def test_the_title_is_the_request_or_its_prompt(title: str | None, prompt: str, found: str) -> None:
    assert takes.tags(title=title, prompt=prompt).title == found


def test_the_recipe_is_complete() -> None:
    """Defaults may change; a file must not change its meaning then."""
    fields = json.loads(takes.tags().recipe_json)
    assert fields.keys() == set(Recipe.__struct_fields__)
    assert msgspec.convert(fields, Recipe) == takes.RECIPE


def test_printable_text_has_one_line_and_no_control_character() -> None:
    assert printable(" a\0b\r\n\tc\x85\x7f\ufffe\ud800 d ") == "a b c d"


TEXTS = st.text(max_size=500)
PROPERTIES = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))


def written(folder: Path, audio_format: AudioFormat, sample_format: SampleFormat, prompt: str, title: str) -> Path:
    path, tags = folder / "take", takes.tags(100, prompt=prompt, title=title, instrument=title)
    write_audio(path, takes.samples(sample_format, frames=100), takes.RATE, audio_format, tags)
    recipe = read_recipe(path)
    assert (recipe.prompt, recipe.title) == (prompt, title)
    assert soundfile.info(path).samplerate == takes.RATE
    return path


@PROPERTIES
@given(prompt=TEXTS, title=TEXTS)
def test_no_text_damages_a_wav_file(tmp_path: Path, prompt: str, title: str) -> None:
    path = written(tmp_path, "wav", "int16", prompt, title)
    chunks = {name: data for name, _, data in chunks_of(path.read_bytes())}
    for _, _, text in chunks_of(b"RIFF" + (len(chunks[b"LIST"])).to_bytes(4, "little") + chunks[b"LIST"]):
        assert text.index(b"\0") == len(text) - 1
        text.decode()
    found = wavinfo.WavInfoReader(path, info_encoding="utf-8")
    assert found.info.title == takes.tags(prompt=prompt, title=title, instrument=title).title
    assert found.bext.version == 2
    root = ET.parse(io.BytesIO(chunks[b"iXML"])).getroot()
    assert (root.findtext("NOTE") or "") == printable(prompt)
    assert root.findtext("TELLURSTORI/RECIPE") == takes.tags(prompt=prompt, title=title).recipe_json


@pytest.mark.parametrize(("audio_format", "sample_format"), [("flac", "int16"), ("ogg", "float32"), ("mp3", "float32")])
@PROPERTIES
@given(prompt=TEXTS, title=TEXTS)
def test_no_text_damages_a_compressed_file(
    tmp_path: Path, audio_format: AudioFormat, sample_format: SampleFormat, prompt: str, title: str
) -> None:
    path = written(tmp_path, audio_format, sample_format, prompt, title)
    file, expected = mutagen.File(path), takes.tags(prompt=prompt, title=title, instrument=title)
    if audio_format == "mp3":
        assert [frame.text for frame in file.tags.getall("TIT2")] == [[expected.title]]
        assert [frame.text for frame in file.tags.getall("COMM")] == ([[expected.prompt]] if expected.prompt else [])
    else:
        assert (file["title"], file.get("description", [""])) == ([expected.title], [expected.prompt])
