"""Measures what a child keeps of its parent: codes, notes and samples, over random edits of takes of the starter.

It also measures what children of takes without a score keep, and what eight takes at once cost beside one.

uv run python -m bench.edit --edits 200
"""

import argparse
import io
import json
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import median
from typing import Any

import mido
import numpy as np
from msgspec.structs import replace

from bench.audio_edits import audio_report, measure_audio_edits, tiny_engine
from shared.edits import Edit, StreamName
from shared.messages import Recipe
from shared.music import Music, bar_quarters, bar_seconds
from worker.engine.batching.engine import BatchingEngine, load
from worker.engine.interface import EngineOutput, EngineSettings, Midi, Samples
from worker.engine.sampler.codes import Codes
from worker.engine.sampler.stored_score import OldScore

PROMPTS = (
    ("house with piano", "4/4"),
    ("lofi hip hop with electric piano and vinyl crackle", "4/4"),
    ("epic cinematic music with strings, brass and timpani", "4/4"),
    ("jazz trio with double bass and brushes", "3/4"),
    ("funk with slap bass and clavinet", "4/4"),
    ("rock with distorted guitar", "4/4"),
    ("folk with banjo and fiddle", "6/8"),
    ("ambient pads and bells", "5/4"),
)
BARS = 12
RATE = 32_000
# Of the takes that are made at once: how many, and how many bars.
TAKES, SHORT = 8, 4
PARENT = "gen_000000000000"


@dataclass(frozen=True, eq=False)
class Made:
    """A take: float32 of shape [samples, 2], corrected codes, and the notes of its MIDI file by quarter note."""

    recipe: Recipe
    audio: Samples
    music: Music
    codes: Codes
    notes: Counter[tuple[Fraction, int, int, int]]
    seconds: float

    @property
    def bar(self) -> Fraction:
        """The length of a bar in seconds."""
        assert self.recipe.bpm is not None
        return bar_seconds(self.recipe.bpm, self.recipe.meter or "")


@dataclass
class Findings:
    """What was counted over all edits; the first three are to equal `edits`."""

    edits: int = 0
    codes_kept: int = 0
    notes_kept: int = 0
    samples_kept: int = 0
    off_grid: float = 0.0
    tails: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    score_bytes: list[int] = field(default_factory=list)


def main() -> int:
    """Run the benchmark; returns 0 only if every edit kept everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--audio-edits", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3, help="of eight takes at once, beside one")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    settings = EngineSettings(engine="batching", model="starter", device="auto", max_slots=TAKES, max_duration=120.0)
    engine = load(settings, lambda message: None)
    found = _measure(engine, options.edits, random.Random(options.seed))
    report = _report(found) | (_takes_at_once(engine, options.rounds) if options.rounds else {})
    engine.close()
    with tiny_engine() as tiny:
        heard = measure_audio_edits(tiny, options.audio_edits, random.Random(options.seed))
    report |= audio_report(heard)
    for name, value in report.items():
        print(f"{name:<28}{value}")
    print(json.dumps(report))
    notes = found.edits == found.codes_kept == found.notes_kept == found.samples_kept
    return 0 if notes and heard.edits == heard.before_kept == heard.after_kept else 1


def _measure(engine: BatchingEngine, edits: int, source: random.Random) -> Findings:
    found, parents = Findings(), list[Made]()
    for number in range(edits):
        if number < len(PROMPTS):
            parents.append(_take(engine, _recipe(number, source)))
            assert parents[-1].music.score is not None
            found.score_bytes.append(len(parents[-1].music.score.codes))
        parent = source.choice(parents)
        child, shift, part = _child(engine, parent, source)
        _compare(parent, child, shift, part, found)
    return found


def _recipe(number: int, source: random.Random) -> Recipe:
    prompt, meter = PROMPTS[number]
    bpm = source.choice((float(source.randint(70, 160)), round(source.uniform(70, 160), 1)))
    duration = float(BARS * bar_seconds(bpm, meter))
    common = {"cfg_coef": 1.5, "outputs": ("midi",), "meter": meter, "seed": source.randrange(2**32)}
    return Recipe(model="starter", prompt=prompt, duration=duration, bars=BARS, bpm=bpm, **common)  # type: ignore[arg-type]


def _take(engine: BatchingEngine, recipe: Recipe) -> Made:
    outputs: list[EngineOutput] = []
    began = time.perf_counter()
    audio = np.concatenate(list(engine.generate(recipe, lambda done, total: None, outputs.append)))
    took = time.perf_counter() - began
    music = next(each for each in outputs if isinstance(each, Music))
    midi = next(each for each in outputs if isinstance(each, Midi))
    assert music.score is not None
    return Made(recipe, audio, music, OldScore.read(music.score).codes, _notes(midi.file), took)


def _notes(file: bytes) -> Counter[tuple[Fraction, int, int, int]]:
    """The beginnings of notes: quarter note, channel, key and velocity."""
    midi, notes = mido.MidiFile(file=io.BytesIO(file)), Counter[tuple[Fraction, int, int, int]]()
    for track in midi.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == "note_on" and message.velocity:
                notes[Fraction(tick, midi.ticks_per_beat), message.channel, message.note, message.velocity] += 1
    return notes


def _child(engine: BatchingEngine, parent: Made, source: random.Random) -> tuple[Made, int, range]:
    """A random child, by how many bars its parent begins later in it, and its composed bars."""
    kind, recipe = source.choice(("replace", "replace", "extend")), parent.recipe
    fields: dict[str, Any] = {"kind": kind, "parent": PARENT, "score": parent.music.score}
    shift, added = 0, 0
    if kind == "replace":
        first = source.randint(1, BARS)
        last = source.randint(first, min(first + 3, BARS))
        fields |= {"from_bar": first, "to_bar": last, "streams": _some_streams(parent, source)}
        part = range(first - 1, last)
    else:
        added, fields["at"] = source.randint(1, 4), source.choice(("start", "end"))
        shift = added if fields["at"] == "start" else 0
        part = range(added) if shift else range(BARS, BARS + added)
    bars = BARS + added
    changes = {"seed": source.randrange(2**32), "bars": bars, "duration": float(bars * parent.bar)}
    return _take(engine, replace(recipe, edit=Edit(**fields), **changes)), shift, part


def _some_streams(parent: Made, source: random.Random) -> tuple[StreamName, ...]:
    streams = sorted({each.stream for each in parent.music.instruments})
    chosen = source.sample(streams, source.randint(1, len(streams)))
    return tuple(chosen) if source.random() < 0.5 else ()  # type: ignore[arg-type]


def _compare(parent: Made, child: Made, shift: int, part: range, found: Findings) -> None:
    found.edits += 1
    found.times.append(child.seconds / parent.seconds)
    found.codes_kept += _keeps_codes(parent, child, shift, part)
    old_part = range(part.start - shift, part.stop - shift)
    found.notes_kept += _outside(child, part, 0) == _outside(parent, old_part, shift)
    composed = child.music.composed
    assert composed is not None
    assert composed.from_seconds is not None
    assert composed.to_seconds is not None
    for told, bar in ((composed.from_seconds, part.start), (composed.to_seconds, part.stop)):
        # Told to a millionth of a second.
        found.off_grid = max(found.off_grid, abs(told - float(bar * parent.bar)) * RATE)
    if composed.tail_seconds is not None:
        found.tails.append(composed.tail_seconds)
    found.samples_kept += _keeps_samples(parent, child, shift, part)


def _keeps_codes(parent: Made, child: Made, shift: int, part: range) -> bool:
    """Whether all codes outside of the part are the parent's; streams that are not composed also within it."""
    bar = parent.codes.shape[1] // (BARS + 1)
    edit = child.recipe.edit
    assert edit is not None
    old = parent.codes
    new, first, end = child.codes, bar * (1 + part.start), bar * (1 + part.stop)
    before = (new[:, :first] == old[:, :first]).all()
    after = (new[:, end:] == old[:, end - bar * shift :]).all()
    if edit.kind == "extend":
        return bool(before and after)
    names = ("conductor", "bass", "chords", "pad", "arpeggio", "lead", "drums", "percussion")
    rows = [row for row, name in enumerate(names) if name not in (edit.streams or names[1:])]
    return bool(before and after and (new[rows, first:end] == old[rows, first:end]).all())


def _outside(made: Made, part: range, shift: int) -> Counter[tuple[Fraction, int, int, int]]:
    """The notes that begin outside of some bars, `shift` bars later."""
    bar = bar_quarters(made.recipe.meter or "")
    notes = Counter[tuple[Fraction, int, int, int]]()
    for (at, *rest), count in made.notes.items():
        if not part.start * bar <= at < part.stop * bar:
            channel, key, velocity = rest
            notes[at + shift * bar, channel, key, velocity] = count
    return notes


def _keeps_samples(parent: Made, child: Made, shift: int, part: range) -> bool:
    """Whether all samples outside of the part and its tail are the parent's, before mastering."""
    composed = child.music.composed
    assert composed is not None
    begin, end = round(part.start * parent.bar * RATE), len(parent.audio)
    if part.start >= BARS:
        # The parent's last notes may be released within its last sample.
        return bool((child.audio[: end - 1] == parent.audio[: end - 1]).all())
    same = not shift and bool((child.audio[:begin] == parent.audio[:begin]).all())
    if composed.tail_seconds is None:
        return same
    joint = round(shift * parent.bar * RATE)
    after = round(((composed.to_seconds or 0.0) + composed.tail_seconds) * RATE)
    # Bars in front may round the length to a sample less.
    length = min(len(child.audio) - after, end - after + joint)
    kept = child.audio[after : after + length] == parent.audio[after - joint : after - joint + length]
    return bool(kept.all()) and (same or shift > 0)


def _takes_at_once(engine: BatchingEngine, rounds: int) -> dict[str, float]:
    """The time of a request's eight takes in one batch, beside that of one take, in turns."""
    recipe = _recipe(0, random.Random(1))
    recipe = replace(recipe, outputs=(), bars=SHORT, duration=recipe.duration * SHORT / BARS)
    one, eight = list[float](), list[float]()
    for number in range(rounds + 1):
        recipes = [replace(recipe, seed=TAKES * number + each) for each in range(TAKES)]
        for times, asked in ((one, recipes[:1]), (eight, recipes)):
            began = time.perf_counter()
            with ThreadPoolExecutor(TAKES) as threads:
                list(threads.map(lambda each: [*engine.generate(each, lambda done, total: None)], asked))
            times.append(time.perf_counter() - began)
    ratio = median(eight[1:]) / median(one[1:])  # the first round warms up
    return {"eight takes, times one": round(ratio, 2), "each of eight, times one": round(ratio / TAKES, 2)}


def _report(found: Findings) -> dict[str, float]:
    return {
        "edits": found.edits,
        "codes kept": found.codes_kept,
        "notes kept": found.notes_kept,
        "samples kept": found.samples_kept,
        "off the grid, samples": round(found.off_grid, 3),
        "tail, median seconds": round(median(found.tails), 2) if found.tails else 0.0,
        "tail, most seconds": round(max(found.tails), 2) if found.tails else 0.0,
        "time, times the parent's": round(median(found.times), 2),
        "score, median bytes": median(found.score_bytes),
        "score, most bytes": max(found.score_bytes),
    }


if __name__ == "__main__":
    sys.exit(main())
