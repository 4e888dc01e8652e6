"""The recipe comes back from every file of ours, also after other programs edited it, and from no other file."""

import subprocess
import sys
from pathlib import Path

import mutagen
import pytest
import soundfile
from mutagen.id3 import ID3

from shared.files import AudioFormat, SampleFormat
from tests.foreign_programs import output_of
from tests.unit.worker.production.formats import takes
from worker.production.formats import NoRecipeError, read_recipe, write_audio


@pytest.fixture
def path(tmp_path: Path, audio_format: AudioFormat, sample_format: SampleFormat) -> Path:
    file = tmp_path / f"take.{audio_format}"
    write_audio(file, takes.samples(sample_format, frames=3000), takes.RATE, audio_format, takes.tags(3000))
    return file


every_format = pytest.mark.parametrize(
    ("audio_format", "sample_format"), [("wav", "int24"), ("flac", "int16"), ("ogg", "float32"), ("mp3", "float32")]
)


@every_format
def test_the_recipe_comes_back_whatever_the_name(path: Path) -> None:
    assert read_recipe(path.rename(path.with_name("renamed.bin"))) == takes.RECIPE


@every_format
def test_the_recipe_survives_a_copy_by_ffmpeg(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / f"copy{path.suffix}"
    output_of("ffmpeg", "-v", "error", "-i", path, "-c", "copy", copy)
    assert read_recipe(copy) == takes.RECIPE


@pytest.mark.parametrize(("audio_format", "sample_format"), [("flac", "int16"), ("ogg", "float32"), ("mp3", "float32")])
def test_the_recipe_survives_an_editor_of_tags(path: Path) -> None:
    file = mutagen.File(path, easy=True)
    file["title"] = "x" * 100_000
    file.save()
    assert read_recipe(path) == takes.RECIPE


@pytest.mark.parametrize(("audio_format", "sample_format"), [("mp3", "float32")])
@pytest.mark.parametrize("encoding", [0, 1, 2, 3])
@pytest.mark.parametrize("version", [3, 4])
def test_every_version_and_encoding_of_id3_is_read(path: Path, version: int, encoding: int) -> None:
    tags = ID3(path)
    tags["TXXX:RECIPE"].encoding = encoding
    tags.update_to_v23() if version == 3 else tags.update_to_v24()
    tags.save(path, v2_version=version)
    assert read_recipe(path) == takes.RECIPE


@every_format
@pytest.mark.parametrize("share", [0, 0.01, 0.03, 0.1])
def test_a_file_cut_in_its_tags_is_refused(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(share * 2000)])
    with pytest.raises(NoRecipeError, match="This file has no recipe of this service"):
        read_recipe(path)


@pytest.mark.parametrize("name", ["other.wav", "other.flac", "other.ogg", "other.mp3"])
def test_files_of_other_programs_have_no_recipe(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / name, takes.samples("float32", frames=3000), takes.RATE)
    with pytest.raises(NoRecipeError, match=f"{name} was made by another program"):
        read_recipe(tmp_path / name)


def with_recipe(path: Path, text: str) -> Path:
    """A FLAC file whose recipe is this text."""
    write_audio(path, takes.samples("int16", frames=10), takes.RATE, "flac", takes.tags(10))
    file = mutagen.File(path)
    file["recipe"] = text
    file.save()
    return path


def test_a_damaged_recipe_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(NoRecipeError, match=r"is damaged \(.*missing required field `model`"):
        read_recipe(with_recipe(tmp_path / "take.flac", "{}"))


def test_a_recipe_of_a_later_version_is_refused(tmp_path: Path) -> None:
    """This version would make other music of it."""
    text = takes.tags().recipe_json.replace("{", '{"tuning":443,', 1)
    with pytest.raises(NoRecipeError, match='fields that this version does not know: "tuning"'):
        read_recipe(with_recipe(tmp_path / "take.flac", text))


def test_a_recipe_of_an_earlier_version_gets_the_defaults(tmp_path: Path) -> None:
    text = '{"model":"starter","prompt":"house","duration":8.0,"seed":5}'
    assert read_recipe(with_recipe(tmp_path / "take.flac", text)).format == "wav"


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_recipe(tmp_path / "take.wav")


def test_reading_loads_neither_torch_nor_encoders() -> None:
    code = "import sys, worker.production.formats; print(*{'torch', 'av', 'soundfile', 'scipy'} & sys.modules.keys())"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
