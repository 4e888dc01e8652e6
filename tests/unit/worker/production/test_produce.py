"""The files of a take: level, length, stems and repeatability, measured by other programs' readers and meters."""

from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly  # type: ignore[import-untyped]

from shared.music import grid_samples
from tests.unit.worker.production.takes import RATE, made, read, recipe, stem_files, take
from worker.production.formats import write_audio
from worker.production.take import StemAudio, Take

LOSSLESS = [("wav", "int16"), ("wav", "int24"), ("wav", "float32"), ("flac", "int16"), ("flac", "int24")]
ALL = [*LOSSLESS, ("ogg", "int16"), ("mp3", "int16")]


def lufs(samples: NDArray[np.float64], rate: int) -> float:
    return float(pyloudnorm.Meter(rate).integrated_loudness(samples))


def peak_dbtp(samples: NDArray[np.float64]) -> float:
    return float(20 * np.log10(np.abs(resample_poly(samples, 4, 1, axis=0)).max()))


@pytest.mark.parametrize(("audio_format", "sample_format"), ALL)
@pytest.mark.parametrize("loudness", [None, -9.0, -30.0])
def test_a_score_has_the_loudness_asked_for(
    tmp_path: Path, audio_format: str, sample_format: str, loudness: float | None
) -> None:
    wanted = recipe(format=audio_format, sample_format=sample_format, sample_rate=44_100, loudness=loudness)
    files = made(take(), wanted, tmp_path)
    samples, rate = read(tmp_path / f"audio.{audio_format}")
    assert rate == files.audio.sample_rate == 44_100
    assert lufs(samples, rate) == pytest.approx(-14 if loudness is None else loudness, abs=0.5)
    assert peak_dbtp(samples) <= -1
    assert files.measured is not None
    assert files.measured.lufs == pytest.approx(lufs(samples, rate), abs=0.05)
    assert files.measured.true_peak_dbtp == pytest.approx(peak_dbtp(samples), abs=0.1)
    assert files.warnings == ()


@pytest.mark.parametrize("audio_format", ["ogg", "mp3"])
def test_a_loud_file_is_encoded_once(tmp_path: Path, audio_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoding is most of what production costs."""
    written: list[Path] = []

    def write(path: Path, *rest: Any) -> None:
        written.append(path)
        write_audio(path, *rest)

    monkeypatch.setattr("worker.production.produce.write_audio", write)
    made(take()._replace(stems=()), recipe(format=audio_format, sample_rate=48_000, loudness=-10), tmp_path)
    assert written == [tmp_path / f"audio.{audio_format}"]


@pytest.mark.parametrize(("audio_format", "sample_format"), LOSSLESS)
@pytest.mark.parametrize("sample_rate", [None, 44_100, 48_000, 96_000])
def test_stems_sum_to_the_mix(tmp_path: Path, audio_format: str, sample_format: str, sample_rate: int | None) -> None:
    wanted = recipe(format=audio_format, sample_format=sample_format, sample_rate=sample_rate, loudness=-9)
    files = made(take(), wanted, tmp_path)
    mix, rate = read(tmp_path / f"audio.{audio_format}")
    assert [output.name for output in stem_files(files)] == [f"stem_{number}.{audio_format}" for number in range(4)]
    assert [output.program for output in stem_files(files)] == [0, 1, 2, 3]
    assert {output.gain_db for output in stem_files(files)} == {0}
    total = np.sum([read(tmp_path / output.name)[0] for output in stem_files(files)], axis=0)
    assert (rate, mix.shape) == (sample_rate or RATE, (4 * (sample_rate or RATE), 2))
    if sample_format == "float32" and audio_format == "wav":
        assert np.abs(total - mix).max() < 10 ** (-110 / 20)
    else:
        np.testing.assert_array_equal(total, mix)


@pytest.mark.parametrize(("audio_format", "sample_format"), ALL)
def test_the_same_take_gives_the_same_bytes_and_the_mix_does_not_depend_on_stems(
    tmp_path: Path, audio_format: str, sample_format: str
) -> None:
    wanted, taken = recipe(format=audio_format, sample_format=sample_format, sample_rate=48_000), take(2.0)
    first = made(taken, wanted, tmp_path / "first")
    assert made(taken, wanted, tmp_path / "second") == first
    assert made(taken._replace(stems=()), wanted, tmp_path / "third").audio == first.audio
    for file in (tmp_path / "first").iterdir():
        assert (tmp_path / "second" / file.name).read_bytes() == file.read_bytes()


def test_stems_beyond_full_scale_are_halved_and_say_so(tmp_path: Path) -> None:
    """Two stems that cancel each other are far louder than their mix."""
    loud = np.random.default_rng(1).uniform(-1, 1, (RATE, 2)).astype(np.float32)
    quiet = np.random.default_rng(2).uniform(-0.1, 0.1, (RATE, 2)).astype(np.float32)
    stems = (StemAudio("plus", loud + quiet, None), StemAudio("minus", -loud, None))
    taken = Take(audio=quiet, sample_rate=RATE, stems=stems, has_score=True)
    files = made(taken, recipe(duration=1.0), tmp_path)
    mix, _ = read(tmp_path / "audio.wav")
    total = np.sum([read(tmp_path / output.name)[0] for output in stem_files(files)], axis=0)
    (gain_db,) = {output.gain_db for output in stem_files(files)}
    assert gain_db is not None
    halvings = round(gain_db / 6.0206)
    assert halvings > 0
    assert gain_db == pytest.approx(6.0206 * halvings, abs=1e-3)
    assert np.abs(total * 2**halvings - mix).max() <= 2 ** (halvings - 1) / 2**15


@pytest.mark.parametrize("sample_format", ["int16", "int24", "float32"])
def test_other_audio_keeps_its_level(tmp_path: Path, sample_format: str) -> None:
    taken = take(has_score=False)
    files = made(taken, recipe(sample_format=sample_format), tmp_path)
    samples, _ = read(tmp_path / "audio.wav")
    tolerance = {"int16": 1.6 / 2**15, "int24": 0.6 / 2**23, "float32": 0.0}[sample_format]
    assert np.abs(samples - taken.audio).max() <= tolerance
    assert files.outputs == ()


def test_other_audio_with_too_high_peaks_is_turned_down_as_a_whole(tmp_path: Path) -> None:
    taken = take(has_score=False, level=1.0)
    made(taken, recipe(sample_format="float32"), tmp_path)
    samples, _ = read(tmp_path / "audio.wav")
    assert -1.5 < peak_dbtp(samples) <= -1
    gain = np.abs(samples).max() / np.abs(taken.audio).max()
    np.testing.assert_allclose(samples, taken.audio * gain, atol=1e-6)


def test_a_target_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    click = np.zeros((4 * RATE, 2), np.float32)
    click[100] = 0.5
    files = made(Take(audio=click, sample_rate=RATE, has_score=True), recipe(loudness=-6), tmp_path)
    assert files.measured is not None
    assert files.measured.lufs is not None
    assert f"this music has {files.measured.lufs:.1f} LUFS" in files.warnings[0]
    assert peak_dbtp(read(tmp_path / "audio.wav")[0]) <= -1


@pytest.mark.parametrize("frames", [1, 100, round(0.39 * RATE), round(0.4 * RATE)])
def test_a_take_shorter_than_the_meters_block_is_produced(tmp_path: Path, frames: int) -> None:
    taken = take(1.0)
    audio = taken.audio[8000 : 8000 + frames]
    stopped = Take(audio=audio, sample_rate=RATE, has_score=True, is_whole=False)
    files = made(stopped, recipe(duration=1.0), tmp_path)
    samples, _ = read(tmp_path / "audio.wav")
    assert len(samples) == frames
    assert np.abs(samples).max() <= 10 ** (-1 / 20)
    assert files.measured is not None


def test_silence_stays_silent(tmp_path: Path) -> None:
    files = made(Take(audio=np.zeros((RATE, 2), np.float32), sample_rate=RATE, has_score=True), recipe(), tmp_path)
    assert files.is_silent
    assert files.measured is not None
    assert (files.measured.lufs, files.measured.true_peak_dbtp) == (None, files.measured.true_peak_dbtp)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    taken = take(1.0)
    taken.audio[17] = bad
    with pytest.raises(ValueError, match="not numbers"):
        made(taken, recipe(), tmp_path)


@pytest.mark.parametrize("sample_rate", [32_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize(("bars", "bpm", "meter"), [(1, 124.0, "4/4"), (3, 97.3, "6/8"), (2, 240.0, "7/8")])
def test_bars_have_their_length_to_the_sample(
    tmp_path: Path, sample_rate: int, bars: int, bpm: float, meter: str
) -> None:
    frames = grid_samples(bars, bpm, meter, RATE)
    wanted = recipe(bars=bars, bpm=bpm, meter=meter, duration=frames / RATE, sample_rate=sample_rate)
    files = made(take(frames / RATE, stems=2), wanted, tmp_path)
    for name in ("audio.wav", "stem_1.wav"):
        samples, rate = read(tmp_path / name)
        assert len(samples) == grid_samples(bars, bpm, meter, rate)
    assert files.audio.duration == pytest.approx(len(samples) / rate, abs=1e-6)
