"""The chunks of a WAV file, as the standards lay them out."""

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import soundfile
from numpy.lib.stride_tricks import as_strided

from shared.files import SampleFormat
from tests.unit.worker.production.formats import takes
from worker.production.formats.riff import write_wav


def written(path: Path, sample_format: SampleFormat = "int16", channels: int = 2, frames: int = takes.FRAMES) -> bytes:
    file = path / "take.wav"
    write_wav(file, takes.samples(sample_format, channels, frames), takes.RATE, takes.tags(frames))
    return file.read_bytes()


def chunks_of(data: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """Name, place and content of every chunk; asserts that they fill the file."""
    place = 12
    while place < len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        yield name, place + 8, data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    assert place == len(data) == struct.unpack_from("<I", data, 4)[0] + 8


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 70_001])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sample_format", ["int16", "int24", "float32"])
def test_chunks_fill_the_file_and_samples_are_aligned(
    tmp_path: Path, sample_format: SampleFormat, channels: int, frames: int
) -> None:
    data = written(tmp_path, sample_format, channels, frames)
    chunks = list(chunks_of(data))
    assert (data[:4], data[8:12], chunks[0][0], chunks[-1][0]) == (b"RIFF", b"WAVE", b"fmt ", b"data")
    _, place, content = chunks[-1]
    assert place % 16 == 0
    assert len(content) == frames * channels * {"int16": 2, "int24": 3, "float32": 4}[sample_format]


@pytest.mark.parametrize(
    ("sample_format", "channels", "size", "code", "sub_format"),
    [
        ("int16", 1, 16, 1, None),
        ("int16", 2, 16, 1, None),
        ("int24", 1, 40, 0xFFFE, 1),
        ("int24", 2, 40, 0xFFFE, 1),
        ("float32", 2, 18, 3, None),
    ],
)
def test_the_format_is_extensible_where_windows_wants_it(
    tmp_path: Path, sample_format: SampleFormat, channels: int, size: int, code: int, sub_format: int | None
) -> None:
    chunks = {name: content for name, _, content in chunks_of(written(tmp_path, sample_format, channels))}
    found = chunks[b"fmt "]
    assert (len(found), struct.unpack_from("<HH", found)) == (size, (code, channels))
    assert (b"fact" in chunks) == (sample_format != "int16")
    if sub_format is not None:
        _, bits, speakers, sub_code = struct.unpack_from("<HHIH", found, 16)
        assert (bits, speakers, sub_code) == (24, 4 if channels == 1 else 3, sub_format)


# The fields that we use, in the order of the published schema, aswg_ixml_1_1.xsd.
ASWG = ["contentType", "originator", "notes", "isGenerated", "channelConfig", "loudness", "songTitle", "instrument"]
ASWG += ["isLoop", "tempo", "timeSig", "inKey", "schemaVersion"]


@pytest.mark.parametrize("instrument", [None, "strings"])
def test_ixml_has_the_music_fields_of_aswg_as_its_schema_wants_them(tmp_path: Path, instrument: str | None) -> None:
    file = tmp_path / "take.wav"
    write_wav(file, takes.samples("int16", 2), takes.RATE, takes.tags(instrument=instrument))
    (text,) = [content for name, _, content in chunks_of(file.read_bytes()) if name == b"iXML"]
    root = ET.fromstring(text)
    fields = {field.tag: field.text for field in root.iterfind("ASWG/*")}
    missing = "instrument" if instrument is None else "loudness"
    assert list(fields) == [name for name in ASWG if name != missing]
    assert (fields["tempo"], fields["timeSig"], fields["inKey"]) == ("124", "3:4", "A minor")
    assert (fields["isGenerated"], fields["isLoop"], fields["channelConfig"]) == ("true", "true", "Stereo")
    assert root.findtext("TELLURSTORI/BPM") == "124.5"
    assert [track.findtext("NAME") for track in root.iterfind("TRACK_LIST/TRACK")] == [instrument or "mix"] * 2


def test_more_than_two_channels_are_extensible(tmp_path: Path) -> None:
    file = tmp_path / "surround.wav"
    write_wav(file, np.zeros((10, 6), np.int16), 48_000, takes.tags(10))
    assert struct.unpack_from("<H", file.read_bytes(), 20)[0] == 0xFFFE
    assert soundfile.info(file).channels == 6


def test_four_gibibytes_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    file = tmp_path / "long.wav"
    silence = as_strided(np.zeros((1, 1), np.float32), (2**30, 1), (0, 0))
    with pytest.raises(ValueError, match="at most 4 GiB"):
        write_wav(file, silence, 48_000, takes.tags(2**30))
    assert not file.exists()


def test_other_samples_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not float64"):
        write_wav(tmp_path / "take.wav", np.zeros((1, 1)), 48_000, takes.tags(1))


def test_integers_of_24_bits_lie_in_three_bytes(tmp_path: Path) -> None:
    values = np.array([[-(2**23)], [-1], [0], [1], [2**23 - 1]], np.int32)
    file = tmp_path / "take.wav"
    write_wav(file, values, 48_000, takes.tags(5))
    content = list(chunks_of(file.read_bytes()))[-1][2]
    assert content == bytes.fromhex("000080 ffffff 000000 010000 ffff7f")
    back, _ = soundfile.read(io.BytesIO(file.read_bytes()), dtype="int32")
    assert (back >> 8).tolist() == values[:, 0].tolist()
