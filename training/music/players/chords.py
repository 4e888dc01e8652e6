"""Chords: comping in the style's rhythm, and pads."""

import random

from training.music.form import Bar
from training.music.line import Line, each_bar
from training.music.pattern import Repertoire
from training.music.plan import PiecePlan
from worker.engine.sampler.degrees import Degree
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Chord


def play_comping(plan: PiecePlan, source: random.Random) -> Line:
    """The style's rhythm on the bar's chords."""
    line = Line()
    repertoire = Repertoire(plan.style.comping, plan.header.steps, source)
    for bar, name, _ in each_bar(plan.bars, Stream.CHORDS, plan.ensemble.parts[Stream.CHORDS], line):
        for step, letter in enumerate(_with_changes(bar, repertoire.row(bar))):
            if letter == ".":
                line.stop(bar.start + step)
            elif letter != "-":
                line.play(
                    bar.start + step,
                    _chord(name, bar.chord_at(step), plan, plan.chord_velocity(bar, loud=_is_loud(plan, bar, letter))),
                )
    _close(plan, line, Stream.CHORDS)
    return line


def play_pad(plan: PiecePlan, _source: random.Random) -> Line:
    """Held chords; without other pitched streams in half notes, like a choir."""
    line = Line()
    alone = set(plan.ensemble.parts) <= {Stream.PAD, Stream.DRUMS, Stream.PERCUSSION}
    sounding: Degree | None = None
    for bar, name, _ in each_bar(plan.bars, Stream.PAD, plan.ensemble.parts[Stream.PAD], line):
        for step, chord in _halves(bar, plan) if alone else bar.chords:
            if chord != sounding or bar.place % 2 == 0 or alone:
                line.play(
                    bar.start + step,
                    _chord(name, chord, plan, plan.chord_velocity(bar, loud=bar.level + plan.velocity > 1)),
                )
            sounding = chord
    _close(plan, line, Stream.PAD)
    return line


def _halves(bar: Bar, plan: PiecePlan) -> list[tuple[int, Degree]]:
    """The bar's chords on each half note; held in the last bar of a phrase."""
    if bar.place % 4 == 3:
        return list(bar.chords)
    halves = plan.measure.beats if plan.header.meter == "3/4" else (0, plan.measure.half)
    return [(step, bar.chord_at(step)) for step in halves]


def _with_changes(bar: Bar, pattern: str) -> str:
    """Strike chord changes within the bar where the pattern would hold the previous chord."""
    letters = list(pattern)
    for step, _ in bar.chords[1:]:
        letters[step] = "x" if letters[step] == "-" else letters[step]
    return "".join(letters)


def _is_loud(plan: PiecePlan, bar: Bar, letter: str) -> bool:
    return letter == "X" or (letter == "x" and bar.level + plan.velocity >= 1)


def _chord(name: str, chord: Degree, plan: PiecePlan, velocity: int) -> Chord:
    return Chord(name, (plan.header.key + chord.semitones) % 12, chord.quality, velocity)


def _close(plan: PiecePlan, line: Line, stream: Stream) -> None:
    if plan.style.ending == "button" and stream in plan.bars[-1].streams:
        line.play(plan.end_step, _chord(plan.ensemble.parts[stream][0], plan.tonic, plan, int(plan.velocity >= 0)))
