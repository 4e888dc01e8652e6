"""Every format: the samples, the length, the recipe, and equal bytes for equal takes."""

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from shared.files import AudioFormat, SampleFormat
from tests.conftest import ROOT
from tests.unit.worker.production.formats import takes
from worker.production.formats import read_recipe, write_audio

_SUBTYPES = {"int16": "PCM_16", "int24": "PCM_24", "float32": "FLOAT"}


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("audio_format", "sample_format"), takes.LOSSLESS)
def test_lossless_formats_keep_every_sample(
    tmp_path: Path, audio_format: AudioFormat, sample_format: SampleFormat, channels: int
) -> None:
    samples, path = takes.samples(sample_format, channels), tmp_path / "take"
    write_audio(path, samples, takes.RATE, audio_format, takes.tags())
    with soundfile.SoundFile(path) as file:
        assert (file.subtype, file.samplerate, file.channels) == (_SUBTYPES[sample_format], takes.RATE, channels)
        back = file.read(dtype=samples.dtype.name, always_2d=True)
    # libsndfile returns 24 bits in the upper end of 32.
    np.testing.assert_array_equal(back >> 8 if sample_format == "int24" else back, samples)


@pytest.mark.parametrize("rate", [16_000, 24_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("audio_format", ["ogg", "mp3"])
def test_lossy_formats_keep_length_and_start(
    tmp_path: Path, audio_format: AudioFormat, channels: int, rate: int
) -> None:
    """Encoders add silence at both ends; two decoders that obey the headers remove it to the sample."""
    samples, path = takes.samples("float32", channels), tmp_path / "take"
    write_audio(path, samples, rate, audio_format, takes.tags(rate=rate))
    back, found = soundfile.read(path, always_2d=True)
    assert (back.shape, found) == (samples.shape, rate)
    with av.open(str(path)) as file:
        assert sum(frame.samples for frame in file.decode(audio=0)) == len(samples)
    tones = samples[1000:-1000].T.ravel()
    assert np.corrcoef(back[1000:-1000].T.ravel(), tones)[0, 1] > 0.99
    assert np.corrcoef(back[1001:-999].T.ravel(), tones)[0, 1] < np.corrcoef(back[1000:-1000].T.ravel(), tones)[0, 1]


@pytest.mark.parametrize("frames", [1, 100, 5000])
@pytest.mark.parametrize(("audio_format", "sample_format"), takes.ALL)
def test_short_audio_gives_a_sound_file(
    tmp_path: Path, audio_format: AudioFormat, sample_format: SampleFormat, frames: int
) -> None:
    path = tmp_path / "take"
    write_audio(path, takes.samples(sample_format, frames=frames), takes.RATE, audio_format, takes.tags(frames))
    assert read_recipe(path) == takes.RECIPE
    # Xiph's and LAME's encoders have blocks and delays that cannot be cut further.
    shortest = {"ogg": 576, "mp3": 47}.get(audio_format, 0)
    assert frames <= soundfile.info(path).frames <= max(frames, shortest)


@pytest.mark.parametrize("seconds", [0.5, 4, 30])
@pytest.mark.parametrize("audio_format", ["ogg", "mp3"])
def test_a_silent_stem_keeps_its_length(tmp_path: Path, audio_format: AudioFormat, seconds: float) -> None:
    """Silence compresses so well that seconds of it fit into one page of an Ogg file."""
    frames, path = round(seconds * 44_100) + 1, tmp_path / "take"
    write_audio(path, np.zeros((frames, 2), np.float32), 44_100, audio_format, takes.tags(frames, 44_100))
    assert soundfile.info(path).frames == frames


@pytest.mark.parametrize("audio_format", ["wav", "flac", "ogg", "mp3"])
def test_no_audio_is_refused(tmp_path: Path, audio_format: AudioFormat) -> None:
    with pytest.raises(ValueError, match="no audio"):
        write_audio(tmp_path / "take", np.zeros((0, 2), np.int16), takes.RATE, audio_format, takes.tags(0))


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("audio_format", "sample_format"), takes.ALL)
def test_equal_takes_give_equal_bytes(
    tmp_path: Path, audio_format: AudioFormat, sample_format: SampleFormat, channels: int
) -> None:
    files = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        write_audio(folder / name, takes.samples(sample_format, channels), takes.RATE, audio_format, takes.tags())
        assert [file.name for file in folder.iterdir()] == [name]
        files.append((folder / name).read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("is_contiguous", [True, False])
@pytest.mark.parametrize(("audio_format", "sample_format"), takes.ALL)
def test_the_layout_of_the_array_does_not_matter(
    tmp_path: Path, audio_format: AudioFormat, sample_format: SampleFormat, is_contiguous: bool
) -> None:
    samples = takes.samples(sample_format, frames=200_000)
    other = np.asfortranarray(samples) if is_contiguous else np.repeat(samples, 2, axis=0)[::2]
    for name, array in (("first", samples), ("second", other)):
        write_audio(tmp_path / name, array, takes.RATE, audio_format, takes.tags(200_000))
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_a_file_replaces_an_older_one(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(b"x" * 10_000_000)
    write_audio(path, takes.samples("int16", frames=10), takes.RATE, "wav", takes.tags(10))
    assert soundfile.info(path).frames == 10


@pytest.mark.parametrize(
    ("audio_format", "sample_format", "channels", "rate", "complaint"),
    [
        ("flac", "float32", 2, 48_000, "FLAC holds integers. Ask for int24"),
        ("mp3", "float32", 2, 96_000, "MP3 has no sample rate of 96000 Hz. Ask for 48000"),
        ("mp3", "float32", 6, 48_000, "one or two channels, not 6"),
        ("ogg", "float32", 6, 48_000, "one or two channels, not 6"),
        ("flac", "int16", 6, 48_000, "one or two channels, not 6"),
    ],
)
def test_impossible_files_are_refused(
    tmp_path: Path,
    audio_format: AudioFormat,
    sample_format: SampleFormat,
    channels: int,
    rate: int,
    complaint: str,
) -> None:
    samples = np.repeat(takes.samples(sample_format, 1, 100), channels, axis=1)
    with pytest.raises(ValueError, match=complaint):
        write_audio(tmp_path / "take", samples, rate, audio_format, takes.tags(100, rate))


WRITE_INTO_A_FULL_DISK = """
import resource, sys
from pathlib import Path
from tests.unit.worker.production.formats import takes
from worker.production.formats import write_audio
samples, tags = takes.samples(sys.argv[2], frames=100_000), takes.tags(100_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write_audio(Path(sys.argv[3]), samples, takes.RATE, sys.argv[1], tags)
except OSError:
    print("refused")
"""


@pytest.mark.parametrize(("audio_format", "sample_format"), takes.ALL)
def test_a_full_disk_is_an_error_of_the_system(
    tmp_path: Path, audio_format: AudioFormat, sample_format: SampleFormat
) -> None:
    code = [sys.executable, "-c", WRITE_INTO_A_FULL_DISK, audio_format, sample_format, str(tmp_path / "take")]
    done = subprocess.run(code, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr
    assert {file.name for file in tmp_path.iterdir()} <= {"take"}
