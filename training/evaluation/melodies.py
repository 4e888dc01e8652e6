"""Compares the generator's melodies with real tunes: `uv run --with music21 python -m training.evaluation.melodies`.

The tunes are those of Ryan's Mammoth Collection (1883, in the public domain), which music21's corpus holds. Only these
figures are taken from them.
"""

import argparse
import random
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from training.music import make_piece
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Note, Score

COLLECTION = "ryansMammoth"
BARS = 16


class Melody(NamedTuple):
    """The notes of a melody's beginning.

    Attributes:
        notes: each as (bar, place in the bar in quarter notes, MIDI key).
        tonic: the key's pitch class.
        last: the MIDI key of the whole melody's last note.
    """

    notes: tuple[tuple[int, float, int], ...]
    tonic: int
    last: int


def tune_melodies(count: int) -> Iterator[Melody]:
    """The first bars of random tunes of the collection."""
    corpus: Any = import_module("music21.corpus")
    paths = sorted(corpus.getComposer(COLLECTION))
    for path in random.Random(1).sample(paths, count):  # noqa: S311
        part = corpus.parse(path).parts[0]
        key = part.recurse().getElementsByClass("Key").first()
        if key is None:
            continue
        notes = [
            (measure.number, float(note.offset), note.pitch.midi)
            for measure in part.getElementsByClass("Measure")
            for note in measure.notes
            if note.isNote
        ]
        yield _beginning(notes, key.tonic.pitchClass)


def own_melodies(count: int, level: int) -> Iterator[Melody]:
    """The generator's melodies, each from where the lead begins up to the outro."""
    for seed in range(count):
        score = make_piece(seed, level=level).score
        if notes := _lead(score):
            yield _beginning(notes, score.header.key)


def _beginning(notes: list[tuple[int, float, int]], tonic: int) -> Melody:
    first = notes[0][0]
    return Melody(tuple(note for note in notes if note[0] < first + BARS), tonic, notes[-1][2])


def _lead(score: Score) -> list[tuple[int, float, int]]:
    steps = score.header.steps
    return [
        (step // steps, step % steps / 4, event.pitch)
        for step, event in sorted(score.events.get(Stream.LEAD, {}).items())
        if isinstance(event, Note) and step != score.end_step
    ]


def figures(melodies: Iterable[Melody]) -> dict[str, float]:
    """Shares of all intervals, and means over the melodies."""
    long = [melody for melody in melodies if len(melody.notes) >= BARS]
    intervals = np.abs([b[2] - a[2] for melody in long for a, b in pairwise(melody.notes)])
    rows = [_of_melody(melody) for melody in long]
    return {
        "same note": float((intervals == 0).mean()),
        "step": float(((intervals > 0) & (intervals <= 2)).mean()),
        "third": float(((intervals > 2) & (intervals <= 4)).mean()),
        "leap": float((intervals > 4).mean()),
        **{name: float(np.mean([row[name] for row in rows])) for name in rows[0]},
    }


def _of_melody(melody: Melody) -> dict[str, float]:
    pitches = [pitch for _, _, pitch in melody.notes]
    bars = [[note for note in melody.notes if note[0] == bar] for bar in sorted({note[0] for note in melody.notes})]
    rhythms = [tuple(place for _, place, _ in bar) for bar in bars]
    shapes = [tuple(np.sign(np.diff([pitch for *_, pitch in bar])).tolist()) for bar in bars]
    turns = [a * b < 0 for a, b in pairwise(d for d in np.diff(pitches) if d)]
    return {
        "range in semitones": max(pitches) - min(pitches),
        "notes a bar": len(pitches) / len(bars),
        "turns": float(np.mean(turns)) if turns else 0.0,
        "rhythm comes again": _again(rhythms),
        "motif comes again": _again(list(zip(rhythms, shapes, strict=True))),
        "ends on the tonic": float(melody.last % 12 == melody.tonic),
    }


def _again(bars: Sequence[object]) -> float:
    """The share of bars that an earlier bar equals."""
    return float(np.mean([bar in bars[:index] for index, bar in enumerate(bars)]))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.melodies", description=__doc__)
    parser.add_argument("--tunes", type=int, default=200)
    parser.add_argument("--pieces", type=int, default=600)
    options = parser.parse_args()
    columns = {
        "tunes": figures(tune_melodies(options.tunes)),
        "level 1": figures(own_melodies(options.pieces, 1)),
        "level 2": figures(own_melodies(options.pieces, 2)),
    }
    print("| |", " | ".join(columns), "|")
    for name in columns["tunes"]:
        print(f"| {name} |", " | ".join(f"{column[name]:.2f}" for column in columns.values()), "|")


if __name__ == "__main__":
    main()
