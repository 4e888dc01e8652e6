"""Drum sounds that their authors dedicated to the public domain, from the Debian package sonic-pi-samples."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfilt  # type: ignore[import-untyped]

from training.bank.soundfont import SAMPLE_RATE

FOLDER = Path("/usr/share/sonic-pi/samples")
COPYRIGHT = Path("/usr/share/doc/sonic-pi-samples/copyright")
RECORDED_RATE = 44100

Audio = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Recording:
    """A recorded hit.

    Attributes:
        name: the file's name without `.flac`.
        seconds: its maximum length.
        low_cut: hertz below which it is cut; 0 if it is not.
        decay: seconds until it has fallen by 60 dB more than it does by itself; 0 if it does not.
    """

    name: str
    seconds: float = 1.0
    low_cut: float = 0.0
    decay: float = 0.0


RECORDINGS: dict[str, dict[str, Recording]] = {
    "drums/electronic": {
        "kick": Recording("bd_klub"),
        "snare": Recording("sn_dub"),
        "clap_or_rim": Recording("perc_snap", 0.3),
        "closed_hat": Recording("drum_cymbal_closed", 0.12, 7000, 0.2),
        "open_hat": Recording("drum_cymbal_open", 0.5, 6000, 0.7),
        "ride": Recording("elec_cymbal", 0.6, 3000),
        "crash": Recording("drum_splash_hard", 2.6, 1500),
    },
    "drums/hard": {
        "kick": Recording("drum_heavy_kick"),
        "snare": Recording("drum_snare_hard"),
        "closed_hat": Recording("drum_cymbal_closed", 0.3, 400),
        "open_hat": Recording("drum_cymbal_open", 1.2, 300),
        "crash": Recording("drum_cymbal_hard", 1.7, 200),
    },
    "drums/lofi": {
        "kick": Recording("drum_bass_soft"),
        "snare": Recording("sn_dolf"),
        "clap_or_rim": Recording("perc_snap2"),
        "closed_hat": Recording("drum_cymbal_pedal", 0.25, 500),
        "open_hat": Recording("drum_cymbal_open", 0.6, 500, 0.8),
        "ride": Recording("drum_cymbal_soft", 1.0, 300),
        "crash": Recording("drum_splash_soft", 1.9, 300),
    },
}


def record_file(recording: Recording) -> Audio:
    """A recording: mono, float32, at the bank's sample rate.

    Raises:
        OSError: if the file does not exist: install sonic-pi-samples.
    """
    sound, rate = soundfile.read(FOLDER / f"{recording.name}.flac", always_2d=True)
    assert rate == RECORDED_RATE
    mono = np.asarray(resample_poly(sound.mean(axis=1), SAMPLE_RATE // 100, RECORDED_RATE // 100))
    mono = mono[: round(recording.seconds * SAMPLE_RATE)]
    if recording.low_cut:
        mono = sosfilt(butter(2, recording.low_cut, "high", fs=SAMPLE_RATE, output="sos"), mono)
    if recording.decay:
        mono = mono * 10 ** (-3 * np.arange(len(mono)) / SAMPLE_RATE / recording.decay)
    return mono.astype(np.float32)


def credits_of(names: set[str]) -> list[str]:
    """A line for each file: its name, author and address.

    Raises:
        ValueError: if Debian's list does not say that a file is under CC0.
    """
    found = {}
    for paragraph in COPYRIGHT.read_text().split("\n\n"):
        if match := re.match(r"Files: etc/samples/(\w+)\.flac\n", paragraph):
            found[match[1]] = dict(re.findall(r"^(\w+): *(.*)$", paragraph, re.MULTILINE))
    if forbidden := sorted(name for name in names if found.get(name, {}).get("License") != "CC0"):
        raise ValueError(f"Not under CC0 in {COPYRIGHT}: {', '.join(forbidden)}. Use other recordings.")
    return [f"{name}.flac: {found[name]['Copyright']}, {found[name]['Source']}" for name in sorted(names)]
