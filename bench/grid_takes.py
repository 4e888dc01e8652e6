"""Takes for `bench.grid`: of the starter itself, of noise and pulses, and of drums at a known tempo."""

import random
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from shared.messages import Recipe
from shared.music import Instrument, Measured, Music, bar_seconds
from worker.engine.batching.engine import BatchingEngine, load
from worker.engine.interface import EngineOutput, EngineSettings, Midi, Stem
from worker.production.take import StemAudio, Take

RATE = 32_000
# What the starter's takes are of; every one names drums.
STYLES = (
    "house with drum machine and synth bass",
    "rock with drums, electric guitar and bass",
    "jazz with drums, piano and double bass",
    "funk with drums, slap bass and brass",
    "techno with drum machine and synth lead",
    "pop with drums, piano and strings",
    "reggae with drums, organ and bass",
    "ambient with drums, pad and bells",
)
KEYS = ("A minor", "C major", "F# minor", "Eb major", "D minor")

Floats = NDArray[np.float32]


class Made(NamedTuple):
    """A take and its recipe; `name` says how to make it again."""

    name: str
    take: Take
    recipe: Recipe


def bars_recipe(source: random.Random, *, most_seconds: float, least_seconds: float = 0.5, **fields: Any) -> Recipe:
    """A recipe of whole bars: random tempo, meter and number of bars."""
    while True:
        bpm = source.choice(
            [round(source.uniform(60, 200), source.choice((0, 0, 1, 3))), float(source.randint(60, 200))]
        )
        meter = source.choice(("4/4", "4/4", "3/4"))
        bars = source.choice((1, 2, 3, 4, 5, 7, 8, 12, 16))
        duration = float(bars * bar_seconds(bpm, meter))
        if least_seconds <= duration <= most_seconds:
            recipe = Recipe(model="starter", prompt="", duration=duration, bars=bars, bpm=bpm, meter=meter)
            return replace(recipe, **fields)


@cache
def starter() -> BatchingEngine:
    """The starter on the CPU, loaded once."""
    settings = EngineSettings(engine="batching", model="starter", device="cpu", max_slots=1, max_duration=60.0)
    return load(settings, lambda message: None)


def starter_takes(
    seed: int, count: int, *, most_seconds: float, least_seconds: float = 0.5, **fields: Any
) -> Iterator[Made]:
    """Takes that the starter makes of random recipes of whole bars."""
    source = random.Random(f"starter {seed}")
    for number in range(count):
        recipe = bars_recipe(source, most_seconds=most_seconds, least_seconds=least_seconds, **fields)
        recipe = replace(
            recipe, prompt=STYLES[number % len(STYLES)], key=source.choice(KEYS), seed=source.randrange(2**32)
        )
        yield Made(f"starter {describe(recipe)}", starter_take(recipe), recipe)


def starter_take(recipe: Recipe) -> Take:
    """What the starter makes of a recipe, as a worker collects it: frame after frame, as it came through a pipe."""
    outputs: list[EngineOutput] = []
    audio = np.concatenate(list(starter().generate(recipe, lambda done, total: None, outputs.append)))
    return Take(
        audio=np.ascontiguousarray(audio),
        sample_rate=RATE,
        stems=tuple(
            StemAudio(each.name, np.ascontiguousarray(each.samples), each.instrument)
            for each in outputs
            if isinstance(each, Stem)
        ),
        midi=next((each.file for each in outputs if isinstance(each, Midi)), None),
        music=next((each for each in outputs if isinstance(each, Music)), Music()),
        has_score=True,
    )


def noise_take(recipe: Recipe, *, channels: int = 2, has_score: bool = True, stems: int = 0) -> Take:
    """Decaying noise on every beat, as loud as a mix without mastering: cheap, and its peaks are far above its level.

    With `stems` it is the sum of this many.
    """
    source = np.random.default_rng(recipe.seed)
    tail = round(1.5 * RATE) if recipe.loop and has_score else 0
    frames = round(recipe.duration * RATE) + tail
    tracks = [_pulses(source, recipe, frames, channels) for _ in range(max(stems, 1))]
    named = [StemAudio(f"part {number}", track, Instrument(name=f"part {number}", stream=f"part {number}"))
             for number, track in enumerate(tracks, 1)]  # fmt: skip
    return Take(
        audio=np.sum(tracks, axis=0, dtype=np.float32),
        sample_rate=RATE,
        stems=tuple(named) if stems else (),
        music=Music(bpm=recipe.bpm, key=recipe.key, meter=recipe.meter, bars=recipe.bars),
        measured=Measured(),
        has_score=has_score,
    )


def _pulses(source: np.random.Generator, recipe: Recipe, frames: int, channels: int) -> Floats:
    beat = 60 / (recipe.bpm or 120)
    times = np.arange(frames) / RATE
    level = np.exp(-(times % beat) / source.uniform(0.05, 0.4)) * (times < recipe.duration)
    sound = source.standard_normal((frames, channels)) * (source.uniform(0.05, 0.5) * level)[:, None]
    return np.asarray(sound, np.float32)


def drum_pattern(seed: int, bpm: float, beats: int, seconds: float, *, clicks: bool, offset: float) -> Floats:
    """A bar of drums or clicks, again and again: float32 of shape [frames, 1].

    The sounds and the pattern depend on `seed` alone, so that the same bar can be had in two tempos.

    Args:
        seed: of the pattern.
        bpm: quarter notes per minute.
        beats: quarter notes a bar.
        seconds: length.
        clicks: a metronome with a higher downbeat in place of drums.
        offset: how much of the first bar is cut off, as a share.
    """
    source = random.Random(f"pattern {seed}")
    pattern = _metronome(source, beats) if clicks else _groove(source, beats)
    bar = beats * 60 / bpm
    frames = round(seconds * RATE)
    audio = np.zeros(frames + 3 * RATE, np.float32)
    for number in range(int(seconds / bar + offset) + 1):
        for place, sound in pattern:
            start = round((number * bar + place * 60 / bpm - offset * bar) * RATE)
            if 0 <= start < frames:
                audio[start : start + len(sound)] += sound
    return audio[:frames, None]


def _metronome(source: random.Random, beats: int) -> list[tuple[float, Floats]]:
    pitch = source.uniform(500, 1100)
    high, low = _tone(pitch * 1.8, 0.006, 0.8), _tone(pitch, 0.006, 0.5)
    return [(float(beat), low if beat else high) for beat in range(beats)]


def _groove(source: random.Random, beats: int) -> list[tuple[float, Floats]]:
    noise = np.random.default_rng(source.randrange(2**32))
    kick = _tone(source.uniform(50, 70), 0.08, 0.9)
    snare, hat, crash = (_burst(noise, decay, level) for decay, level in ((0.05, 0.4), (0.012, 0.15), (0.3, 0.3)))
    backbeat = (1, 3) if beats == 4 else (1, 2)
    places = [(0.0, kick), *((float(beat), snare) for beat in backbeat)]
    places += [(0.0, crash)] * source.randint(0, 1)
    # Softer than the first one, without which many a bar would have the same second half.
    places += [(source.choice((1.5, 2.0, 2.5)), kick * np.float32(0.7))]
    step = source.choice((0.5, 0.5, 0.25))
    return places + [(place, hat) for place in np.arange(0, beats, step).tolist()]


def _tone(frequency: float, decay: float, level: float) -> Floats:
    times = np.arange(round(6 * decay * RATE)) / RATE
    return np.asarray(level * np.sin(2 * np.pi * frequency * times) * np.exp(-times / decay), np.float32)


def _burst(noise: np.random.Generator, decay: float, level: float) -> Floats:
    times = np.arange(round(6 * decay * RATE)) / RATE
    return np.asarray(level * noise.standard_normal(len(times)) * np.exp(-times / decay), np.float32)


def describe(recipe: Recipe) -> str:
    """What of a recipe makes a case: enough to repeat it."""
    fields = {
        "bars": recipe.bars, "bpm": recipe.bpm, "meter": recipe.meter, "rate": recipe.sample_rate, "loop": recipe.loop,
        "format": recipe.format, "samples": recipe.sample_format, "loudness": recipe.loudness, "seed": recipe.seed,
    }  # fmt: skip
    return ", ".join(f"{name} {value}" for name, value in fields.items() if value not in (None, False))
