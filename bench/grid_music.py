"""Rows of `bench.grid` about the music: the first downbeat, loops, measured tempo, and stretched takes."""

import io
import random
from collections.abc import Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any, NamedTuple

import mido
import numpy as np
import torch
from msgspec.structs import replace
from scipy.signal import resample_poly  # type: ignore[import-untyped]

from bench.grid_files import produced
from bench.grid_meters import Floats, decode, delay, drift, find_start, first_sound, lost_onsets, seam_step
from bench.grid_row import Row
from bench.grid_takes import RATE, Made, drum_pattern, starter_takes
from shared.messages import Recipe
from shared.music import bar_seconds
from training.music.listening import heard
from training.music.piece import make_piece
from worker.engine.sampler.codec import SamplerCodec
from worker.engine.sampler.codes import encode
from worker.production.grid_fit import NotOnGridError, fit
from worker.production.stretch import stretch
from worker.production.take import Take

# The share by which takes are slower or faster than what was asked.
MOST_OFF = 0.05


class _Piece(NamedTuple):
    """A take that is no score, at another tempo than its recipe's; `reference` is the same piece at that tempo.

    The recipe's tempo is `speed` times the take's.
    """

    name: str
    take: Take
    recipe: Recipe
    reference: Floats
    speed: float


def downbeat(count: int) -> list[Row]:
    """Where the drums of the starter's takes begin, if its MIDI says that they play on the first beat."""
    row = Row("first downbeat, starter", "≤ 1 ms from sample 0", show="{:.2f} ms".format)
    for made in starter_takes(6, count, most_seconds=6, outputs=("midi", "stems")):
        if not _drums_at_once(made.take.midi):
            continue
        with produced(made) as (folder, files):
            names = [each.name for each in files.outputs if each.kind == "stem"]
            parts = zip(names, made.take.stems, strict=True)
            drums = [decode(folder / name) for name, stem in parts if stem.instrument and stem.instrument.channel == 10]
        late = 1000 * first_sound(sum((sound for sound, _ in drums), np.zeros(1)), drums[0][1])
        row.add(made.name, late, late <= 1.0)
    return [row]


def _drums_at_once(midi: bytes | None) -> bool:
    assert midi is not None
    for track in mido.MidiFile(file=io.BytesIO(midi)).tracks:
        place = 0
        for message in track:
            place += message.time
            if place == 0 and message.type == "note_on" and message.channel == 9 and message.velocity:
                return True
    return False


def seam(count: int) -> list[Row]:
    """The step from the end of a loop to its start, and the onsets, which must all be there."""
    step = Row("loop seam: step across it", "below the 99.9th percentile of its own steps", show="{:.2f} of it".format)
    kept = Row("loop seam: onsets", "none lost", show="{:.0f} lost".format)
    for made, raw, start in _loops(count):
        with produced(made) as (folder, _):
            loop, rate = decode(folder / "audio.wav")
        across, within = seam_step(loop)
        step.add(made.name, across / within, across < within)
        lost = lost_onsets(loop, _at(raw, rate), rate, round(start * rate))
        kept.add(made.name, lost, lost == 0)
    return [step, kept]


def _loops(count: int) -> Iterator[tuple[Made, Floats, float]]:
    """Loops, what each was made of, and where it starts there, in seconds; half of them are the starter's."""
    source = random.Random("seam")
    # So soft that no limiter weakens onsets.
    fields: dict[str, Any] = {"loop": True, "sample_format": "float32", "loudness": -30.0}
    for made in starter_takes(7, count // 2, most_seconds=9, **fields):
        recipe = replace(made.recipe, sample_rate=source.choice((44_100, 48_000, None)))
        yield Made(made.name, made.take, recipe), made.take.audio.astype(np.float64), 0.0
    for piece, take in _fitted(_off_tempo(8, 2 * count, bars=4, **fields), count - count // 2):
        raw = _stretched(piece)
        yield Made(piece.name, take, piece.recipe), raw, find_start(take.audio.astype(np.float64), raw, RATE)


def _stretched(piece: _Piece) -> Floats:
    """The whole take at its recipe's tempo: what its loop was cut out of, before the seam was made.

    By the service's own library, so that nothing but the seam differs from the loop.
    """
    audio = piece.take.audio
    return stretch(audio, RATE, 0, round(len(audio) / piece.speed), piece.speed).astype(np.float64)


def _fitted(pieces: Iterable[_Piece], count: int) -> Iterator[tuple[_Piece, Take]]:
    """The first takes that could be fitted; the model is asked again instead of the others."""
    for piece in pieces:
        with suppress(NotOnGridError):
            yield piece, fit(piece.take, piece.recipe)
            count -= 1
        if not count:
            return


def _at(samples: Floats, rate: int) -> Floats:
    if rate == RATE:
        return samples
    ratio = Fraction(rate, RATE)
    return np.asarray(resample_poly(samples, ratio.numerator, ratio.denominator, axis=0))


def tempo(count: int) -> list[Row]:
    """What fitting makes of clicks and drums whose tempo and downbeats are known."""
    speed = Row("tempo of clicks and drums", "within 0.5%", 0.98, "{:.2f}% off".format)
    place = Row("downbeat of clicks and drums", "within 30 ms", 0.9, "{:.0f} ms off".format)
    source = random.Random("tempo")
    for number in range(count):
        bpm, beats = source.uniform(60, 190), source.choice((4, 4, 4, 3))
        asked = round(bpm * (1 + source.uniform(-MOST_OFF, MOST_OFF)), 1)
        recipe = Recipe(model="small", prompt="", duration=12.0, bpm=asked, meter=f"{beats}/4")
        clicks = number % 2 == 0
        beat = drum_pattern(number, bpm, beats, 24.0, clicks=clicks, offset=source.random())
        name = f"{'clicks' if clicks else 'drums'} {number}, {bpm:.2f} bpm, {beats}/4, asked {asked}"
        try:
            found = fit(Take(beat, RATE), recipe).audio.astype(np.float64)
        except NotOnGridError as error:
            speed.add(name, 100.0, False, str(error))
            continue
        # The take now should have the asked tempo, and begin on a downbeat.
        wanted = drum_pattern(number, asked, beats, len(found) / RATE, clicks=clicks, offset=0.0).astype(np.float64)
        off = 100 * abs(drift(found, wanted, RATE, reach=beats * 60 / asked / 2))
        speed.add(name, off, off <= 0.5)
        late = 1000 * abs(delay(found, wanted, RATE, reach=beats * 60 / asked / 2))
        place.add(name, late, late <= 30)
    return [speed, place]


def stretched(count: int) -> list[Row]:
    """Pieces that the sampler plays at another tempo than asked, after fitting and production."""
    row = Row("stretched pieces: tempo", "within 0.1%", show="{:.3f}% off".format)
    for piece, take in _fitted(_off_tempo(9, 2 * count, bars=8), count):
        made = Made(piece.name, take, piece.recipe)
        with produced(made) as (folder, _):
            found, rate = decode(folder / "audio.wav")
        start = find_start(found, piece.reference, rate)
        off = 100 * abs(drift(found, piece.reference[round(start * rate) :], rate))
        row.add(made.name, off, off <= 0.1)
    return [row]


def _off_tempo(seed: int, count: int, *, bars: int, **fields: Any) -> Iterator[_Piece]:
    source = random.Random(f"off tempo {seed}")
    for _ in range(count):
        number = source.randrange(10**6)
        score = make_piece(number, "test").score
        # A record's crackle has no tempo: its clicks are the same in any.
        if "vinyl crackle" in heard(score):
            continue
        meter, asked = f"{score.header.beats}/4", float(score.header.bpm)
        played = asked * (1 + source.choice((-1, 1)) * source.uniform(0.005, MOST_OFF))
        codes = torch.from_numpy(encode(score)[:, : (1 + bars + 5) * score.header.steps])
        duration = float(bars * bar_seconds(asked, meter))
        recipe = Recipe(model="small", prompt="", duration=duration, bars=bars, bpm=asked, meter=meter, **fields)
        skipped = round(source.random() * float(bar_seconds(played, meter)) * RATE)
        audio = _play(codes, played)[skipped:]
        name = f"piece {number} at {played:.3f} for {asked:g} bpm, {skipped} frames cut off"
        yield _Piece(name, Take(audio.astype(np.float32), RATE), recipe, _play(codes, asked), asked / played)


def _play(codes: torch.Tensor, bpm: float) -> Floats:
    """The piece in any tempo, of shape [frames, channels]."""
    sound = SamplerCodec().stream(tempo=Fraction(bpm)).push(codes, last=True)
    return np.asarray(sound.numpy().T, np.float64)
