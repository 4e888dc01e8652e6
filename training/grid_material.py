"""Material whose grid is known: clicks, noise drums, the sampler's kits and whole pieces, cut at a random place."""

import random
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from shared.music import Key
from training.music.piece import make_piece
from worker.engine.sampler.codec import SamplerCodec
from worker.engine.sampler.codes import encode
from worker.engine.sampler.instruments import HIT_STREAMS
from worker.engine.sampler.score import Score

RATE = 32_000
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Material:
    """Audio with a known grid.

    Attributes:
        audio: float32 of shape [frames, channels].
        sample_rate: in hertz. It is nominal where it makes the tempo fractional.
        bpm: quarter notes per minute.
        meter: such as 4/4.
        downbeat: the start of the first whole bar, in seconds.
        key: in the long form; None if nothing has a pitch.
    """

    name: str
    audio: Floats
    sample_rate: int
    bpm: float
    meter: str
    downbeat: float
    key: str | None = None


def clicks(seed: int, seconds: float = 30.0) -> Material:
    """A metronome: a higher, louder click on each downbeat; some metronomes also tick the eighths."""
    source = random.Random(f"clicks {seed}")  # noqa: S311
    low, high = source.uniform(600, 1200), source.uniform(1300, 2400)
    sounds = [_tick(high, 0.9), *[_tick(low, 0.6)] * 3]
    beats = source.choice((4, 4, 3))
    pattern = [(float(place), sounds[min(place, 1)]) for place in range(beats)]
    if source.random() < 0.3:
        pattern += [(place + 0.5, _tick(low, 0.25)) for place in range(beats)]
    return _played("clicks", pattern, beats, source, seconds)


def drums(seed: int, seconds: float = 30.0) -> Material:
    """Noise drums: a kick, a snare and hats in one of the usual patterns."""
    source = random.Random(f"drums {seed}")  # noqa: S311
    kick, snare, hat = _kick(), _noise(seed, 0.15, 0.5), _noise(seed + 1, 0.03, 0.25, bright=True)
    crash = _noise(seed + 2, 0.6, 0.3, bright=True)
    beats, kicks, snares = source.choice(_GROOVES)
    step = source.choice((0.5, 0.5, 0.25, 1.0))
    # The first kick is the loudest: otherwise half of the grooves repeat within the bar.
    pattern = [(place, kick * np.float32(0.75 if place else 1)) for place in kicks] + [
        (place, snare) for place in snares
    ]
    pattern += [(place, hat * np.float32(source.uniform(0.6, 1))) for place in np.arange(0, beats, step)]
    if source.random() < 0.3:
        pattern.append((0.0, crash))
    return _played("drums", pattern, beats, source, seconds)


# Quarter notes in a bar, and the quarters of kicks and snares.
_GROOVES: tuple[tuple[int, tuple[float, ...], tuple[float, ...]], ...] = (
    (4, (0, 2), (1, 3)),
    (4, (0, 2.5), (1, 3)),
    (4, (0, 1.5, 2.5), (1, 3)),
    (4, (0, 0.75, 2.5), (1, 3)),
    (4, (0, 1.5), (2,)),
    (4, (0, 3.5), (2,)),
    (3, (0,), (1, 2)),
    (3, (0, 1.5), (2,)),
)


def kits(seed: int, seconds: float = 30.0) -> Material:
    """The drums and the percussion of a generated piece, played by the sampler."""
    return _rendered("kits", seed, seconds, only_hits=True)


def pieces(seed: int, seconds: float = 30.0) -> Material:
    """A generated piece, played by the sampler."""
    return _rendered("pieces", seed, seconds, only_hits=False)


def _played(
    name: str, pattern: list[tuple[float, Floats]], beats: int, source: random.Random, seconds: float
) -> Material:
    """A pattern of sounds at quarters of the bar, repeated, at a random tempo from a random place on."""
    bpm = source.uniform(60, 200)
    bar = beats * 60 / bpm
    offset = source.uniform(0, bar)
    audio = np.zeros(round((seconds + 2 * bar) * RATE), np.float32)
    for number in range(int(len(audio) / RATE / bar)):
        for place, sound in pattern:
            start = round((number * bar + place * 60 / bpm + source.gauss(0, 0.001)) * RATE)
            end = min(start + len(sound), len(audio))
            audio[max(start, 0) : end] += sound[max(-start, 0) : end - start]
    first = round(offset * RATE)
    cut = audio[first : first + round(seconds * RATE), None]
    return Material(name, cut, RATE, bpm, f"{beats}/4", (-first / RATE) % bar)


def _tick(frequency: float, level: float) -> Floats:
    times = np.arange(round(0.03 * RATE)) / RATE
    return (level * np.sin(2 * np.pi * frequency * times) * np.exp(-times / 0.006)).astype(np.float32)


def _kick() -> Floats:
    times = np.arange(round(0.2 * RATE)) / RATE
    phase = 2 * np.pi * (50 * times + 120 * 0.03 * (1 - np.exp(-times / 0.03)))
    return (0.9 * np.sin(phase) * np.exp(-times / 0.06)).astype(np.float32)


def _noise(seed: int, length: float, level: float, *, bright: bool = False) -> Floats:
    times = np.arange(round(length * RATE)) / RATE
    sound = np.random.default_rng(seed).standard_normal(len(times)) * np.exp(-4 * times / length)
    if bright:
        sound = np.diff(sound, prepend=0.0)
    return (0.5 * level * sound).astype(np.float32)


def _rendered(name: str, seed: int, seconds: float, *, only_hits: bool) -> Material:
    source = random.Random(f"{name} {seed}")  # noqa: S311
    while True:
        piece = make_piece(source.randrange(10**6), "test")
        score = piece.score
        if not only_hits:
            break
        events = {stream: row for stream, row in score.events.items() if stream in HIT_STREAMS}
        if len(events.get(HIT_STREAMS[0], {})) > score.steps / 8:
            score = Score(score.header, score.sections, score.steps, events)
            break
    header = score.header
    bar = 60 / header.bpm * header.beats
    bars = min(len(score.sections) - 1, int(seconds / bar) + 4)
    codes = encode(score)[:, : (1 + bars) * header.steps]
    audio = SamplerCodec().stream().push(torch.from_numpy(codes), last=True).numpy().T
    # The nominal rate makes the tempo fractional.
    rate = round(RATE * source.uniform(0.98, 1.02))
    first = round(source.uniform(0, bar) * RATE)
    cut = audio[first : first + round(min(seconds, bars * bar - first / RATE) * RATE)]
    key = None if only_hits else Key(header.key, header.minor).name
    return Material(
        name, cut, rate, header.bpm * rate / RATE, f"{header.beats}/4", (-first / RATE) % bar * RATE / rate, key
    )


MAKERS = {maker.__name__: maker for maker in (clicks, drums, kits, pieces)}
