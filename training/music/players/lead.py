"""Melodies: themes of two motifs and a closing one, adapted to each chord. Strong beats have chord tones."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from training.music.form import Bar
from training.music.harmony import melody_scale
from training.music.line import Line, each_bar
from training.music.measure import cadences
from training.music.pattern import bar_of, made_for
from training.music.plan import PiecePlan
from worker.engine.sampler.degrees import Degree
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Header, Note

# Intervals in steps of the scale from note to note, repeated to the end of the motif.
_SHAPES = (
    (1, 1, -1),
    (-1, -1, 1),
    (1, -1),
    (2, -1, -1),
    (-2, 1, 1),
    (0, 1, 0, -1),
    (1, 1, 1, -2),
    (-1, 1, 2, -1),
)
# Shapes of motifs with many notes: runs.
_RUNS = (
    (1, 1, 1, 1, -1, -1, -1, -1),
    (-1, -1, -1, -1, 1, 1, 1, 1),
    (1, 1, -1),
    (-1, -1, 1),
    (2, -1, 2, -1, -2, 1, -2, 1),
    (1, 1, 1, -3),
)
_BUSY = 7
# Shapes and transpositions of the second level, which turn less and reach further, as tunes do.
_LONG_SHAPES = (
    (1, 1, 1, -1),
    (-1, -1, -1, 1),
    (1, 1, -1, -1),
    (2, 2, -1, -1),
    (-2, -2, 1, 1),
    (2, 1, 1, -2),
    (-1, -1, 3, -1),
    (0, 1, 1, -1),
    (1, -1, -1, -1),
    (0, 0, 1, -1),
    (0, -1, 0, -1),
    (3, -1, -1, -1),
)
_LONG_RUNS = (
    (1, 1, 1, 1, -1, -1, -1, -1),
    (-1, -1, -1, -1, 1, 1, 1, 1),
    (2, 2, -1, -1, -1, 0, -1, 1),
    (-2, -2, 1, 0, 1, 1, 1, 1),
    (1, 1, 1, -1, -1, 2, -1, -1),
    (-1, 2, -1, -1, -1, -1, 1, 1),
)
_WIDE_ARCS = ((0, 1, 3, 0), (0, 2, 4, 1), (0, -2, 2, 0), (2, 0, -3, 0), (0, 3, 1, -2), (0, 0, 4, 0))
# How far the second half of eight bars lies above the first, in steps of the scale.
_LATER_HALVES = (0, 2, 3, -2)
# Transpositions of the four bars of a phrase, in steps of the scale.
_ARCS = ((0, 0, 0, 0), (0, 1, 2, 0), (0, -1, -2, 0), (0, 0, 2, 0), (0, 2, 1, 0))
_STARTS = (0, 0, 2, -2, 4)


@dataclass(frozen=True, slots=True)
class Motif:
    """One bar of melody: its rhythm, its start relative to the middle of the register, and its intervals."""

    rhythm: str
    start: int
    moves: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Theme:
    """The motifs `a`, `b` and `c` (which closes), their order (`.` is a rest), and the bars' transpositions."""

    motifs: dict[str, Motif]
    phrase: str
    arc: tuple[int, ...]

    def at(self, place: int, *, closing: bool) -> Motif | None:
        """The motif of a section's bar; the last bar has `c`."""
        letter = "c" if closing else self.phrase[place % len(self.phrase)]
        motif = self.motifs.get(letter)
        return motif and replace(motif, start=motif.start + self.arc[place % len(self.arc)])


def draw_theme(
    rhythms: Sequence[str], phrases: Sequence[str], header: Header, lift: int, source: random.Random
) -> Theme:
    """Draw a theme; `lift` transposes it, in steps of the scale."""
    steps = header.steps
    made = [row for row in rhythms if made_for(row, steps)] or list(rhythms)
    first, second = source.choice(made), source.choice(made)
    closing = source.choice(cadences(header))
    start = source.choice(_STARTS) + lift
    motifs = {
        "a": Motif(bar_of(first, 0, steps), start, _shape(first, source)),
        "b": Motif(
            bar_of(second, len(second) // steps - 1, steps), start + source.choice((-1, 1, 2)), _shape(second, source)
        ),
        "c": Motif(closing, start, source.choice(_SHAPES)),
    }
    return Theme(motifs, source.choice(phrases), source.choice(_ARCS))


def widened(theme: Theme, source: random.Random) -> Theme:
    """The theme with longer lines and a wider range, and often an answer: its first motif turned upside down."""
    motifs = {
        letter: replace(motif, moves=source.choice(_LONG_RUNS if motif.rhythm.count("x") >= _BUSY else _LONG_SHAPES))
        for letter, motif in theme.motifs.items()
    }
    if source.random() < _ANSWERED:
        first = motifs["a"]
        moves = tuple(-move for move in first.moves)
        motifs["b"] = Motif(first.rhythm, first.start + source.choice((2, 3, -2)), moves)
    arc, later = source.choice(_WIDE_ARCS), source.choice(_LATER_HALVES)
    return Theme(motifs, theme.phrase, (*arc, *(step + later for step in arc)))


def _shape(rhythm: str, source: random.Random) -> tuple[int, ...]:
    return source.choice(_RUNS if rhythm.count("x") >= _BUSY else _SHAPES)


_RANGES = {
    "piano": (60, 83),
    "cello": (36, 58),
    "flute": (67, 83),
    "clarinet": (55, 77),
    "saxophone": (53, 76),
    "trumpet": (57, 79),
    "electric guitar": (55, 79),
    "distorted guitar": (52, 77),
}
_HARMONIC = {Stream.CHORDS, Stream.PAD, Stream.ARPEGGIO}
_HIGH = (60, 83)
# Probability that a theme's second motif answers the first one.
_ANSWERED = 0.5
_REGISTER = 4
_LIFT = {0: 0, 1: 2, 2: -1}


def play_lead(plan: PiecePlan, source: random.Random, stream: Stream = Stream.LEAD) -> Line:
    """A theme for each kind of section. Without harmonic streams the melody has no rests of a bar."""
    line = Line()
    alone = plan.spec.solo or not _HARMONIC & set(plan.ensemble.parts)
    themes = [_theme(plan, theme, alone, source) for theme in range(3)]
    melody = _Melody(plan, line)
    for bar, name, following in each_bar(plan.bars, stream, plan.ensemble.parts[stream], line):
        motif = themes[bar.theme].at(bar.place, closing=bar.is_last)
        if motif is None:
            line.stop(bar.start)
        else:
            ends = plan.level > 1 or following is None or following.theme != bar.theme
            melody.write(bar, name, motif, final=bar.is_last and ends)
    if plan.style.ending == "button" and stream in plan.bars[-1].streams:
        name = plan.ensemble.parts[stream][0]
        line.play(plan.end_step, Note(name, melody.nearest(name, plan.tonic.tones[:1]), melody.loudness))
    return line


def _theme(plan: PiecePlan, index: int, alone: bool, source: random.Random) -> Theme:
    levels = plan.style.lead
    energy = plan.style.energy + (plan.mood.energy if plan.mood else 0) + (index == 1)
    phrases = [phrase.replace(".", "b") if alone else phrase for phrase in plan.style.phrases]
    rhythms = levels[max(0, min(energy, len(levels) - 1))]
    theme = draw_theme(rhythms, phrases, plan.header, _LIFT[index], source)
    return theme if plan.level == 1 else widened(theme, source)


class _Melody:
    """Writes the notes of motifs, from the current pitch."""

    def __init__(self, plan: PiecePlan, line: Line) -> None:
        self._plan, self._line = plan, line
        self._pitch = 0
        self._hold = plan.mood.articulation if plan.mood else "normal"
        self.loudness = max(0, min(2, 1 + plan.velocity))

    def write(self, bar: Bar, name: str, motif: Motif, *, final: bool) -> None:
        """Write one bar; a final one ends on the tonic if the chord contains it."""
        onsets = [step for step, letter in enumerate(motif.rhythm) if letter == "x"]
        self._pitch = self._middle(name)
        for number, step in enumerate(onsets):
            chord, last = bar.chord_at(step), number == len(onsets) - 1
            move = motif.start if number == 0 else motif.moves[(number - 1) % len(motif.moves)]
            if last and final and 0 in chord.tones:
                self._pitch = self.nearest(name, (0,))
            elif last or step in self._plan.measure.strong:
                self._pitch = self._strong(name, chord, move)
            else:
                self._pitch = self._moved(name, chord, move)
            accent = self.loudness if step in self._plan.measure.beats else max(0, self.loudness - 1)
            self._line.play(bar.start + step, Note(name, self._pitch, self._plan.note_velocity(bar, accent)))
        self._articulate(bar, motif.rhythm, onsets)

    def _moved(self, name: str, chord: Degree, move: int) -> int:
        """Move some steps along the scale, in the opposite direction if the note would leave the register."""
        ladder = self._ladder(name, melody_scale(chord, self._plan.header.minor, self._plan.style.melody))
        here = _closest(ladder, self._pitch)
        place = here + move if 0 <= here + move < len(ladder) else here - move
        return ladder[max(0, min(len(ladder) - 1, place))]

    def _strong(self, name: str, chord: Degree, move: int) -> int:
        """The chord tone nearest to the target of the move; it differs from the current pitch unless the move is 0."""
        wanted, ladder = self._moved(name, chord, move), self._ladder(name, chord.tones)
        others = [pitch for pitch in ladder if pitch != self._pitch or move == 0]
        return min(others, key=lambda pitch: abs(pitch - wanted))

    def nearest(self, name: str, degrees: Sequence[int]) -> int:
        """The nearest pitch with one of these degrees (semitones above the key's tonic)."""
        ladder = self._ladder(name, degrees)
        return ladder[_closest(ladder, self._pitch or self._middle(name))]

    def _middle(self, name: str) -> int:
        low, high = _RANGES.get(name, _HIGH)
        mood = self._plan.mood
        return (low + high) // 2 + _REGISTER * (mood.register if mood else 0)

    def _ladder(self, name: str, degrees: Sequence[int]) -> list[int]:
        low, high = _RANGES.get(name, _HIGH)
        return [pitch for pitch in range(low, high + 1) if (pitch - self._plan.header.key) % 12 in degrees]

    def _articulate(self, bar: Bar, rhythm: str, onsets: list[int]) -> None:
        """Legato holds each note until the next, staccato for at most an eighth note."""
        if self._hold == "legato":
            return
        for step, following in zip(onsets, [*onsets[1:], len(rhythm)], strict=True):
            held = len(rhythm[step:following].rstrip("."))
            end = min(held, 2) if self._hold == "staccato" else held
            if end < following - step:
                self._line.stop_within(bar.start + step + end)


def _closest(ladder: Sequence[int], pitch: int) -> int:
    return min(range(len(ladder)), key=lambda place: abs(ladder[place] - pitch))
