"""A take and its tags, for tests of the files."""

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.files import AudioFormat, SampleFormat
from shared.messages import Recipe
from shared.music import Measured, Music, SectionStart, bar_seconds, grid_samples
from worker.production.formats import Tags, tags_for

RATE = 48_000
BARS, BPM, METER = 2, 124.5, "3/4"
FRAMES = grid_samples(BARS, BPM, METER, RATE)
# An emoji, accents, markup, quotes, and letters that run from right to left.
PROMPT = "warm house 🎹 mit Tönen & <b>\"'\\ مرحبا"
RECIPE = Recipe(
    model="starter",
    prompt=PROMPT,
    duration=round(float(BARS * bar_seconds(BPM, METER)), 6),
    seed=2**32 - 1,
    outputs=("midi", "stems"),
    bars=BARS,
    bpm=BPM,
    meter=METER,
    key="A minor",
    loop=True,
    sample_rate=RATE,
    loudness=-14.0,
    title="Fête du café",
)
VERSE = float(bar_seconds(BPM, METER))
MUSIC = Music(
    bpm=BPM,
    key="A minor",
    meter=METER,
    bars=BARS,
    sections=(SectionStart(name="intro", bar=1, start=0.0), SectionStart(name="verse", bar=2, start=VERSE)),
)
MEASURED = Measured(lufs=-14.02, true_peak_dbtp=-1.03)
_DTYPES = {"int16": np.int16, "int24": np.int32}
CHECKPOINT = "0123456789abcdef"
# What each lossless format keeps exactly.
LOSSLESS: list[tuple[AudioFormat, SampleFormat]] = [
    ("wav", "int16"),
    ("wav", "int24"),
    ("wav", "float32"),
    ("flac", "int16"),
    ("flac", "int24"),
]
ALL: list[tuple[AudioFormat, SampleFormat]] = [*LOSSLESS, ("ogg", "float32"), ("mp3", "float32")]


def tags(frames: int = FRAMES, rate: int = RATE, instrument: str | None = None, **recipe: Any) -> Tags:
    """The tags of a take whose recipe has other values for the given fields."""
    changed = msgspec.structs.replace(RECIPE, **recipe)
    return tags_for(changed, MUSIC, MEASURED, CHECKPOINT, frames, rate, instrument)


def samples(sample_format: SampleFormat, channels: int = 2, frames: int = FRAMES) -> NDArray[np.generic]:
    """Two tones and some noise at a quarter of full scale, with the extreme values at the start."""
    time = np.arange(frames)[:, None] / RATE
    wave = np.sin(2 * np.pi * time * np.array([[220.0, 330.0]])[:, :channels]) * 0.2
    wave += np.random.default_rng(1).standard_normal((frames, channels)) * 0.05
    wave[:2] = np.array([[-1.0], [1.0]])[: min(frames, 2)]
    if sample_format == "float32":
        return np.asarray(wave, np.float32)
    steps = 2.0 ** (15 if sample_format == "int16" else 23)
    return np.asarray(np.clip(np.rint(wave * steps), -steps, steps - 1), _DTYPES[sample_format])
