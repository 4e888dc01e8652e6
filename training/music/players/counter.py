"""Counter-melodies: a voice of thirds and sevenths that moves by step, and speaks while the melody rests."""

from training.music.form import Bar
from training.music.harmony import chord_scale
from training.music.line import Line, each_bar
from training.music.plan import PiecePlan
from worker.engine.sampler.degrees import Degree
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Note

_LOW, _HIGH = 52, 72


def play_counter(plan: PiecePlan) -> Line:
    """Long notes on the chords, joined by passing notes where the two are a third or more apart."""
    line, pitch = Line(), (_LOW + _HIGH) // 2
    for bar, name, following in each_bar(plan.bars, Stream.ARPEGGIO, plan.ensemble.parts[Stream.ARPEGGIO], line):
        for step, chord in (
            bar.chords if len(bar.chords) > 1 else ((0, bar.chords[0][1]), (plan.measure.half, bar.chords[0][1]))
        ):
            moved = step > 0 and bar.place % 2 == 1
            pitch = _guide(chord, plan, pitch, other=moved)
            line.play(bar.start + step, Note(name, pitch, plan.note_velocity(bar, int(step == 0))))
        if following is not None and bar.level > 0:
            pitch = _pass(bar, name, following.chords[0][1], plan, pitch, line)
    return line


def _pass(bar: Bar, name: str, goal: Degree, plan: PiecePlan, pitch: int, line: Line) -> int:
    """A note of the scale between this bar's last and the next bar's first one, on the last beat."""
    target = _guide(goal, plan, pitch, other=False)
    scale = chord_scale(bar.chord_at(plan.measure.beats[-1]), plan.header.minor)
    between = range(min(pitch, target) + 1, max(pitch, target))
    passing = [each for each in between if (each - plan.header.key) % 12 in scale]
    if not passing:
        return pitch
    pitch = min(passing, key=lambda each: abs(each - target))
    line.play(bar.start + plan.measure.beats[-1], Note(name, pitch, plan.note_velocity(bar, 0)))
    return pitch


def _guide(chord: Degree, plan: PiecePlan, pitch: int, *, other: bool) -> int:
    """The nearest third, fifth or seventh of a chord; with `other` the nearest that is not the same note."""
    tones = chord.tones[1:] or chord.tones
    found = [each for each in range(_LOW, _HIGH + 1) if (each - plan.header.key) % 12 in tones]
    return min([each for each in found if not other or each != pitch] or found, key=lambda each: abs(each - pitch))
