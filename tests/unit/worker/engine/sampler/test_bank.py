import time
from itertools import pairwise

import numpy as np
import pytest

from training.bank.recordings import RECORDINGS
from worker.engine.sampler.bank import BANK, Bank, Rendering, close_loop, default_bank, shift
from worker.engine.sampler.instruments import INSTRUMENTS, KITS, PIECES, Stream
from worker.engine.sampler.patches import patch_of

RATE = 32000
PLAYED = [(name, stream) for stream, names in INSTRUMENTS.items() for name in names]


def test_it_is_small_and_opens_at_once() -> None:
    assert BANK.stat().st_size < 12e6
    begin = time.perf_counter()
    assert "Permission is hereby granted" in Bank().licence
    assert time.perf_counter() - begin < 1


def test_the_licence_file_names_the_author_of_every_recording() -> None:
    licence = BANK.with_name("bank-licence.txt").read_text()
    assert licence == Bank().licence
    names = {recording.name for kit in RECORDINGS.values() for recording in kit.values()}
    assert names == {line.split(".flac: ")[0] for line in licence.splitlines() if ".flac: " in line}


@pytest.mark.parametrize(("name", "stream"), PLAYED)
def test_every_instrument_plays_what_its_stream_can_write(name: str, stream: Stream) -> None:
    for pitch in (24, 83):
        audio = default_bank().note(patch_of(name, stream).sound, pitch, 1).read(0, RATE // 4)
        assert np.isfinite(audio).all()
        assert 0.01 < np.abs(audio).max() < 4


@pytest.mark.parametrize("name", sorted({patch_of(*found).sound for found in PLAYED} - {"timpani", "bells", "pads"}))
def test_instruments_are_in_tune(name: str) -> None:
    for pitch in (55, 57, 60, 64):
        audio = default_bank().note(name, pitch, 1).read(4800, 32768)
        assert detuning(audio, 440 * 2 ** ((pitch - 69) / 12)) < 20, pitch


def detuning(audio: np.ndarray, hertz: float) -> float:
    """Cents from a pitch to the strongest peak near one of its first partials."""
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 1 << 18))
    hertzes = np.arange(len(spectrum)) * RATE / (1 << 18)
    near = [(hertzes > n * hertz * 0.95) & (hertzes < n * hertz * 1.05) for n in (1, 2, 3)]
    strongest = max(range(3), key=lambda n: float(spectrum[near[n]].max()))
    peak = hertzes[near[strongest]][np.argmax(spectrum[near[strongest]])]
    return float(abs(1200 * np.log2(peak / (hertz * (strongest + 1)))))


@pytest.mark.parametrize(("stream", "kit"), [(stream, kit) for stream, kits in KITS.items() for kit in kits])
def test_every_piece_of_every_kit_sounds(stream: Stream, kit: str) -> None:
    pieces = ["crackle"] if kit == "vinyl crackle" else [name for name in PIECES[stream] if name != "timpani"]
    for piece in pieces:
        audio = default_bank().hit(f"{stream.name.lower()}/{kit}", piece).audio
        assert 0.5 < np.abs(audio).max() < 1.5
        if piece != "crackle":
            assert np.argmax(np.abs(audio) > 0.01 * np.abs(audio).max()) <= RATE // 1000


@pytest.mark.parametrize(
    "name", ["organ", "strings", "violin", "choir", "pads", "synthesizer", "trumpet", "synth bass"]
)
def test_a_loop_is_not_heard(name: str) -> None:
    rendering = default_bank().note(name, 62, 1)
    assert rendering.loop is not None
    length = len(rendering.audio)
    around = rendering.read(length - 4000, 8000)
    before = np.abs(np.diff(around[:3900])).max()
    assert np.abs(np.diff(around[3900:4100])).max() < 1.5 * before
    levels = [float(np.sqrt(np.mean(part**2))) for part in np.array_split(around, 4)]
    assert all(0.5 < b / a < 2 for a, b in pairwise(levels))


def test_a_loop_goes_round_for_ever() -> None:
    rendering = Rendering(np.arange(10, dtype=np.float32), 6)
    assert rendering.read(8, 6).tolist() == [8, 9, 6, 7, 8, 9]
    assert rendering.read(14, 3).tolist() == [6, 7, 8]


def test_a_sound_without_a_loop_ends() -> None:
    rendering = Rendering(np.arange(10, dtype=np.float32), None)
    assert rendering.read(8, 6).tolist() == [8, 9]
    assert rendering.read(12, 6).tolist() == []


def test_a_shifted_sine_is_a_sine() -> None:
    time_line = np.arange(8000)
    shifted = shift(np.sin(0.05 * time_line).astype(np.float32), 7)
    wanted = np.sin(0.05 * 2 ** (7 / 12) * np.arange(len(shifted)))
    np.testing.assert_allclose(shifted[4:-4], wanted[4:-4], atol=1e-4)


def test_a_periodic_sound_is_looped_as_it_is() -> None:
    tone = np.sin(2 * np.pi * np.arange(9000) / 100).astype(np.float32)
    rendering = close_loop(tone, 4000, 8000)
    np.testing.assert_allclose(rendering.read(0, 9000), tone, atol=1e-3)
