"""Records single keys of a sound font with FluidSynth (https://www.fluidsynth.org)."""

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from worker.engine.sampler.midi_file import (
    DIVISION,
    DRUM_CHANNEL,
    Message,
    file_bytes,
    note_off,
    note_on,
    program,
    tempo_mark,
)

SAMPLE_RATE = 32000
# From the Debian package fluidr3mono-gm-soundfont, under the MIT licence.
SOUNDFONT = Path("/usr/share/sounds/sf3/FluidR3Mono_GM.sf3")
LICENCE = Path("/usr/share/doc/fluidr3mono-gm-soundfont/copyright")
BEATS_PER_SECOND = 2
TAIL = 1.0
DRUM_BANK = 128

Audio = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key held for some seconds at a MIDI velocity. See `Preset` for `bank` and `program`."""

    bank: int
    program: int
    pitch: int
    velocity: int
    seconds: float


def record(keys: Sequence[HeldKey]) -> list[Audio]:
    """Record each key: mono, float32, for as long as it is held.

    Raises:
        subprocess.CalledProcessError: if FluidSynth fails.
        FileNotFoundError: if FluidSynth is not installed.
    """
    starts = np.cumsum([0.0] + [np.ceil(key.seconds) + TAIL for key in keys])
    with tempfile.TemporaryDirectory() as folder:
        song, sound = Path(folder, "keys.mid"), Path(folder, "keys.wav")
        song.write_bytes(_song(keys, starts))
        options = ["-ni", "-R0", "-C0", "-g", "0.5", "-r", str(SAMPLE_RATE), "-O", "float", "-F", str(sound)]
        subprocess.run(["fluidsynth", *options, str(SOUNDFONT), str(song)], check=True, stdout=subprocess.DEVNULL)  # noqa: S607
        audio = soundfile.read(sound, dtype="float32")[0].mean(axis=1)
    begins = [round(start * SAMPLE_RATE) for start in starts[:-1]]
    return [audio[begin : begin + round(key.seconds * SAMPLE_RATE)] for begin, key in zip(begins, keys, strict=True)]


def _song(keys: Sequence[HeldKey], starts: NDArray[np.float64]) -> bytes:
    messages: list[Message] = [(0, tempo_mark(60 * BEATS_PER_SECOND))]
    for key, start in zip(keys, starts, strict=False):
        channel = DRUM_CHANNEL if key.bank == DRUM_BANK else 0
        tick = _ticks(start)
        chosen = program(channel, key.program, 0 if key.bank == DRUM_BANK else key.bank)
        messages += [(max(0, tick - DIVISION // 2), message) for message in chosen]
        messages += [(tick, note_on(channel, key.pitch, key.velocity))]
        messages += [(tick + _ticks(key.seconds), note_off(channel, key.pitch))]
    return file_bytes([messages])


def _ticks(seconds: float) -> int:
    return round(seconds * BEATS_PER_SECOND * DIVISION)
