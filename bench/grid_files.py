"""Rows of `bench.grid` about the files: their length, level, stems, readers, and the time that they take."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile
from msgspec.structs import replace

from bench.grid_meters import decode, loudness, true_peak
from bench.grid_readers import READERS, foreign_recipe
from bench.grid_row import Row
from bench.grid_takes import Made, bars_recipe, describe, noise_take, starter_takes
from shared.files import AudioFormat, SampleFormat
from worker.production.formats import read_recipe
from worker.production.produce import produce
from worker.production.produced_files import ProducedFiles

JOB = "gen_000000000000"
RATES = (44_100, 48_000, 96_000, None)
MP3_RATES = (44_100, 48_000, None)
LOSSLESS: tuple[AudioFormat, ...] = ("wav", "flac")
FORMATS: tuple[AudioFormat, ...] = ("wav", "flac", "ogg", "mp3")
SAMPLES: tuple[SampleFormat, ...] = ("int16", "int24", "float32")
# Quarter notes a bar, written out here so that a mistake in the service's table would show.
QUARTERS = {"4/4": Fraction(4), "3/4": Fraction(3)}


@contextmanager
def produced(made: Made) -> Iterator[tuple[Path, ProducedFiles]]:
    """The folder with the files of a take."""
    with TemporaryDirectory() as folder:
        yield Path(folder), produce(JOB, made.take, made.recipe, Path(folder))


def bars(count: int) -> list[Row]:
    """The length of the files in frames."""
    row = Row("bars are exact", "to the sample", show="{:.0f} samples off".format)
    for made in _bars_takes(count):
        recipe = made.recipe
        assert recipe.bars is not None
        assert recipe.bpm is not None
        with produced(made) as (folder, _):
            files = sorted(folder.glob(f"*.{recipe.format}"))
            found = [soundfile.info(file) for file in files]
        rate = recipe.sample_rate or made.take.sample_rate
        exact = recipe.bars * QUARTERS[recipe.meter or "4/4"] * 60 / Fraction(recipe.bpm) * rate
        wrong = [info for info in found if abs(info.frames - exact) > Fraction(1, 2) or info.samplerate != rate]
        row.add(made.name, max(abs(info.frames - round(exact)) for info in found), not wrong and bool(found))
    return [row]


def _bars_takes(count: int) -> Iterator[Made]:
    """One in ten is the starter's, with stems; the others are noise, as of a model with a score or of one without."""
    source = random.Random("bars")
    yield from starter_takes(1, count // 10, most_seconds=6, outputs=("stems",), sample_rate=48_000, format="flac")
    for number in range(count - count // 10):
        fields: dict[str, Any] = {
            "sample_rate": source.choice(RATES),
            "format": source.choice(LOSSLESS),
            "sample_format": source.choice(SAMPLES),
            "loop": source.random() < 0.3,
            "seed": number,
        }
        recipe = bars_recipe(source, most_seconds=20 if number % 20 else 60, **fields)
        has_score = number % 2 == 0
        take = noise_take(recipe, channels=1 + number % 4 // 2, has_score=has_score)
        yield Made(f"{'noise, score' if has_score else 'noise'}, {describe(recipe)}", take, recipe)


def level(count: int) -> list[Row]:
    """Loudness and true peak of the decoded files."""
    loud = Row("loudness, decoded file", "within 0.5 LU", show="{:.2f} LU off".format)
    peak = Row("true peak, decoded file, 4 × oversampled", "≤ −1 dBTP", show="{:.2f} dBTP".format)
    for made in _level_takes(count):
        with produced(made) as (folder, files):
            file = folder / f"audio.{made.recipe.format}"
            found, highest = loudness(file), true_peak(decode(file)[0])
        told = any("LUFS" in text for text in files.warnings)
        off = abs(found - (-14.0 if made.recipe.loudness is None else made.recipe.loudness))
        if not told:
            loud.add(made.name, off, off <= 0.5, f"{found:.2f} LUFS, {off:.2f} LU off")
        peak.add(made.name, highest, highest <= -1.0)
    return [loud, peak]


def _level_takes(count: int) -> Iterator[Made]:
    source = random.Random("level")
    for number, made in enumerate(starter_takes(2, count, most_seconds=12)):
        audio_format = FORMATS[number % 4]
        recipe = replace(
            made.recipe,
            format=audio_format,
            sample_rate=source.choice(MP3_RATES if audio_format == "mp3" else RATES),
            loudness=source.choice((None, -9.0, -14.0, -16.0, -23.0, round(source.uniform(-28, -8), 1))),
        )
        yield Made(f"starter {describe(recipe)}", made.take, recipe)


def stems(count: int) -> list[Row]:
    """The sum of the stems of lossless files, minus the mix."""
    row = Row("stems sum to the mix, lossless", "within −90 dBFS", show="{:.0f} dBFS".format)
    for made in _stems_takes(count):
        with produced(made) as (folder, files):
            mix, _ = decode(folder / f"audio.{made.recipe.format}")
            parts = [
                (decode(folder / each.name)[0], each.gain_db or 0.0) for each in files.outputs if each.kind == "stem"
            ]
        total = sum((part * 10 ** (gain / 20) for part, gain in parts), np.zeros_like(mix))
        residue = 20 * np.log10(max(float(np.abs(total - mix).max()), 1e-10))
        row.add(made.name, residue, residue <= -90 and len(parts) == len(made.take.stems) > 0)
    return [row]


def _stems_takes(count: int) -> Iterator[Made]:
    source = random.Random("stems")
    for number, made in enumerate(starter_takes(3, count // 2, most_seconds=8, outputs=("stems",))):
        yield _lossless(made, source, number)
    for number, made in enumerate(starter_takes(4, count - count // 2, most_seconds=8, outputs=("stems",), loop=True)):
        yield _lossless(made, source, number)


def _lossless(made: Made, source: random.Random, number: int) -> Made:
    recipe = replace(
        made.recipe,
        format=LOSSLESS[number % 2],
        sample_format=SAMPLES[number // 2 % (2 if number % 2 else 3)],  # FLAC has no float32
        sample_rate=source.choice(RATES),
        loudness=source.choice((None, -9.0, -18.0)),
    )
    return Made(f"starter {describe(recipe)}", made.take, recipe)


def readers(count: int) -> list[Row]:
    """Whether foreign programs open every format, and agree on rate and length; and the recipe in the file."""
    source = random.Random("readers")
    opened = [Row(f"{reader.name} opens every format", "rate, channels and length right") for reader in READERS]
    back = Row("the file gives the recipe back", "equal, by read_recipe and by a foreign reader of tags")
    for number in range(count):
        recipe = bars_recipe(
            source, most_seconds=4, format=FORMATS[number % 4], sample_rate=source.choice((44_100, 48_000)),
            sample_format=SAMPLES[number // 4 % 3], key="F# minor", seed=number,
            prompt='“Ünïcode” & <xml>, "quoted" 🎵',
        )  # fmt: skip
        made = Made(describe(recipe), noise_take(recipe, channels=1 + number % 2), recipe)
        with produced(made) as (folder, files):
            file = folder / f"audio.{recipe.format}"
            for row, reader in zip(opened, READERS, strict=True):
                if reader.reads(recipe.format):
                    problem = reader.check(file, files.audio)
                    row.add(made.name, float(problem is not None), problem is None, problem or "")
            same = read_recipe(file) == recipe == foreign_recipe(file)
        back.add(made.name, float(not same), same)
    for row in (*opened, back):
        row.show = "{:.0f}".format
    return [*opened, back]


def cost(count: int) -> list[Row]:
    """Processor time of producing half a minute of the starter, of all threads together."""
    takes = list(starter_takes(5, count, least_seconds=25, most_seconds=35, outputs=("midi", "stems")))
    return [_cost(name, fields, takes) for name, fields in _COSTS.items()]


# What is asked for beyond the takes' own recipes; loud files need the limiter.
_COSTS: dict[str, dict[str, Any]] = {
    "mix, wav": {"outputs": ()},
    **{
        f"mix, {each}, 48 kHz, {lufs:g} LUFS": {
            "outputs": (), "sample_rate": 48_000, "format": each, "sample_format": "int24", "loudness": lufs,
        }
        for each in FORMATS
        for lufs in (-14.0, -10.0, -9.0)
    },
    "mix and stems, wav": {},
    "mix and stems, wav, 48 kHz, -9 LUFS": {"sample_rate": 48_000, "loudness": -9.0},
    "mix and stems, flac, 48 kHz, -9 LUFS": {"sample_rate": 48_000, "loudness": -9.0, "format": "flac"},
}  # fmt: skip


def _cost(name: str, fields: dict[str, Any], takes: list[Made]) -> Row:
    row = Row(f"time: {name}", "≤ 5% of real time on one core", show="{:.1f}%".format)
    for made in takes:
        recipe = replace(made.recipe, **fields)
        take = made.take if recipe.outputs else made.take._replace(stems=(), midi=None)
        began = time.process_time()
        with produced(Made(made.name, take, recipe)):
            share = 100 * (time.process_time() - began) / recipe.duration
        row.add(f"{made.name}, {len(take.stems)} stems", share, share <= 5)
    return row
