"""The waveforms and the session that come with a take, against the files that they describe."""

import io
import zipfile
from pathlib import Path

import mido
import numpy as np
import pytest
from lxml import etree

from shared.music import Music
from tests.unit.worker.production.takes import made, read, recipe, stem_files, take
from tests.unit.worker.production.test_dawproject import midi_file, numbers, opened
from tests.unit.worker.production.test_peaks import pairs_of
from tests.unit.worker.production.test_peaks import read as read_peaks
from worker.production.produced_files import ProducedFiles

MUSIC = Music(bpm=120, meter="4/4", bars=2)
ENDS = ("peaks.json", "overview.json", "svg")


def session(files: ProducedFiles, folder: Path) -> etree._Element:
    (output,) = (each for each in files.outputs if each.kind == "project")
    assert output.name == "session.dawproject"
    return opened((folder / output.name).read_bytes())


@pytest.mark.parametrize("sample_format", ["int16", "int24", "float32"])
def test_every_audio_file_has_its_waveform(tmp_path: Path, sample_format: str) -> None:
    files = made(take(), recipe(sample_format=sample_format, sample_rate=44_100), tmp_path)
    names = ["audio", *(f"stem_{number}" for number in range(4))]
    assert [extra.name for extra in files.extras[:3]] == [f"audio.{end}" for end in ENDS]
    assert {extra.name for extra in files.extras} == {f"{name}.{end}" for name in names for end in ENDS}
    assert [extra.kind for extra in files.extras] == ["peaks", "peaks", "waveform"] * 5
    for extra in files.extras:
        assert extra.key == f"jobs/gen_000000000000/{extra.name}"
        assert (tmp_path / extra.name).stat().st_size == extra.size
        if extra.kind == "peaks":
            header, pairs = read_peaks((tmp_path / extra.name).read_bytes())
            samples, rate = read(tmp_path / f"{extra.name.partition('.')[0]}.wav")
            assert header["sample_rate"] == rate == 44_100
            assert pairs == pairs_of(samples.astype(np.float32), header["samples_per_pixel"])


@pytest.mark.parametrize("audio_format", ["ogg", "mp3", "flac"])
def test_a_take_without_outputs_has_its_waveform_and_no_session(tmp_path: Path, audio_format: str) -> None:
    files = made(take(has_score=False), recipe(format=audio_format, title="Night & day"), tmp_path)
    assert files.outputs == ()
    assert [extra.name for extra in files.extras] == [f"audio.{end}" for end in ENDS]
    picture = etree.fromstring((tmp_path / "audio.svg").read_bytes())
    assert picture[0].text == "Night & day"


@pytest.mark.parametrize("audio_format", ["wav", "flac", "mp3"])
def test_the_session_names_the_stems_beside_it(tmp_path: Path, audio_format: str) -> None:
    taken = take()._replace(music=MUSIC, midi=midi_file())
    files = made(taken, recipe(format=audio_format, sample_rate=48_000), tmp_path)
    project = session(files, tmp_path)
    paths: list[str] = project.xpath("//File/@path")
    assert paths == [stem.name for stem in stem_files(files)]
    assert project.xpath("Structure/Track[@contentType='audio']/@name") == [f"stem {number}" for number in range(4)]
    assert len(project.xpath("//Notes")) == 2
    for audio in project.xpath("//Audio"):
        assert numbers(audio, "sampleRate", "channels", "duration") == [48_000, 2, 4]
        assert (tmp_path / audio.find("File").get("path")).exists()
    assert {each.get("duration") for each in project.xpath("//Clip")} == {"8"}


def test_without_stems_the_session_has_the_mix(tmp_path: Path) -> None:
    taken = take()._replace(music=MUSIC, midi=midi_file(), stems=())
    project = session(made(taken, recipe(), tmp_path), tmp_path)
    assert project.xpath("//File/@path") == ["audio.wav"]
    assert project.xpath("Structure/Track/@name") == ["mix", "strings MIDI", "drums MIDI", "Master"]


def test_the_session_tells_the_seed_of_the_take(tmp_path: Path) -> None:
    files = made(take()._replace(seed=99, midi=midi_file(), music=MUSIC), recipe(seed=7), tmp_path)
    assert files.seed == 99
    with zipfile.ZipFile(tmp_path / "session.dawproject") as archive:
        assert b"seed 99" in archive.read("metadata.xml")


def test_the_files_do_not_depend_on_the_outputs(tmp_path: Path) -> None:
    taken = take()._replace(music=MUSIC)
    whole, plain = made(taken, recipe(), tmp_path / "a"), made(taken._replace(stems=()), recipe(), tmp_path / "b")
    assert whole.extras[:3] == plain.extras
    assert whole.audio == plain.audio


def test_the_score_of_the_session_is_the_midi_file(tmp_path: Path) -> None:
    files = made(take()._replace(music=MUSIC, midi=midi_file()), recipe(), tmp_path)
    score = mido.MidiFile(file=io.BytesIO((tmp_path / "audio.mid").read_bytes()))
    begun = sum(message.type == "note_on" and message.velocity > 0 for message in score)
    # One note in the score begins at each of 33 beats, and the audio has 8.
    assert begun == 36
    assert len(session(files, tmp_path).xpath("//Note")) == 3 + 8


def test_an_invalid_midi_file_is_left_out_and_told(tmp_path: Path) -> None:
    """As an engine that is not ours may make."""
    taken = take()._replace(midi=b"This is no MIDI file.", music=MUSIC, warnings=("Mind the gap.",))
    files = made(taken, recipe(), tmp_path)
    assert not (tmp_path / "audio.mid").exists()
    assert {output.kind for output in files.outputs} == {"stem", "project"}
    first, second = files.warnings
    assert first == "Mind the gap."
    assert second.startswith("The MIDI file is left out, because what the engine made is invalid: MThd not found")
