"""Takes for the tests: a small band of decaying notes and noise, whose stems sum to the mix."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from shared.files import Output
from shared.messages import Recipe
from shared.music import Instrument
from worker.engine.interface import Samples
from worker.production.produce import produce
from worker.production.produced_files import ProducedFiles
from worker.production.take import StemAudio, Take

RATE = 32_000
JOB_ID = "gen_000000000000"
# Notes a second.
NOTES = 2


def stem(number: int, seconds: float, channels: int = 2, level: float = 0.15) -> StemAudio:
    """Notes that decay, each with a noisy attack."""
    time = np.arange(round(seconds * RATE)) / RATE
    envelope = np.exp(-((time * NOTES) % 1) * (6 + number))[:, None]
    pitches = 110.0 * (number + 1) * np.linspace(1, 1.01, channels)
    noise = np.random.default_rng(number).standard_normal((len(time), channels)) * 0.1
    samples = envelope * level * (np.sin(2 * np.pi * np.outer(time, pitches)) + noise)
    name = f"stem {number}"
    return StemAudio(name, samples.astype(np.float32), Instrument(name=name, stream="lead", program=number))


def take(
    seconds: float = 4.0, *, stems: int = 4, has_score: bool = True, channels: int = 2, level: float = 0.15
) -> Take:
    """A raw take that sounds to its end."""
    made = tuple(stem(number, seconds, level=level) for number in range(stems))
    audio: Samples = np.sum([each.samples for each in made], axis=0, dtype=np.float32)
    return Take(audio=audio, sample_rate=RATE, stems=made if has_score else (), has_score=has_score)


def recipe(**fields: object) -> Recipe:
    return Recipe(**{"model": "starter", "prompt": "house", "duration": 4.0, "seed": 7, **fields})  # type: ignore[arg-type]


def made(taken: Take, wanted: Recipe, folder: Path) -> ProducedFiles:
    folder.mkdir(exist_ok=True)
    return produce(JOB_ID, taken, wanted, folder)


def stem_files(files: ProducedFiles) -> list[Output]:
    return [output for output in files.outputs if output.kind == "stem"]


def read(path: Path) -> tuple[NDArray[np.float64], int]:
    """A file as libsndfile decodes it: [frames, channels], and its sample rate."""
    samples, rate = soundfile.read(path, always_2d=True)
    return samples, rate
