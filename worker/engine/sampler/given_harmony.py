"""Names the chords of given notes, bar by bar, so that what is composed to them keeps their harmony."""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from shared.music import Key
from shared.note_score import NoteScore
from worker.engine.sampler.harmony import CYCLE, FREE, chord_number, free_chords
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.roles import find_roles, texture
from worker.engine.sampler.score import Quality
from worker.engine.sampler.step_grid import StepGrid
from worker.engine.sampler.voicing import INTERVALS

# The chords that bars may have.
_QUALITIES = (Quality.MAJOR, Quality.MINOR)
# What a note outside of a chord counts against it; what its root in the bass, and a root and third of the scale, count
# for it, as shares of the length of all notes.
_OUTSIDE, _IN_BASS, _OF_SCALE = 0.7, 0.4, 0.15
_SCALES = {False: (0, 2, 4, 5, 7, 9, 11), True: (0, 2, 3, 5, 7, 8, 10)}

Weights = list[float]
Named = tuple[int, Quality]


def given_harmony(score: NoteScore, grid: StepGrid, key: Key, steps: int) -> tuple[Tensor, int]:
    """The chord of each bar for each stream of `BOUND`, and in how many parts the bars are divided.

    Bars are halved if a part plays chords that change within bars. Where nothing sounds, the chord before goes on.

    Returns:
        int64 of shape [CYCLE, 3], see `chord_numbers`; and 1 or 2.
    """
    has_chords = any(texture(part, score.division).is_chordal for part in score.parts if not part.is_drums)
    # The lowest notes of a melody alone are no bass.
    root = _IN_BASS if has_chords or Stream.BASS in find_roles(score).values() else 0.0
    halves = _chords(score, grid, key, steps, grid.steps // 2, root)
    changes = any(first != second for first, second in zip(halves[::2], halves[1::2], strict=False))
    shares = 2 if has_chords and changes else 1
    chords = halves if shares == 2 else _chords(score, grid, key, steps, grid.steps, root)
    numbers = torch.full((CYCLE, 3), FREE)
    for place, chord in enumerate(chords[:CYCLE]):
        if chord is not None:
            numbers[place] = chord_number((chord[0] - key.tonic) % 12, chord[1])
    return numbers, shares


def repeated(chords: Tensor, count: int) -> Tensor:
    """The first `count` chords again and again, if there are several of them; else they are left to the model."""
    first = chords[:count]
    if len({tuple(row) for row in first.tolist()}) < 2:
        return free_chords()
    return first.repeat(-(-len(chords) // count), 1)[: len(chords)]


def _chords(score: NoteScore, grid: StepGrid, key: Key, steps: int, length: int, root: float) -> list[Named | None]:
    """The chord of each span of `length` steps; None before the first one. `root` is what a root in the bass counts."""
    count = -(-steps // length)
    weights: list[Weights] = [[0.0] * 12 for _ in range(count)]
    lowest = [128] * count
    ticks = float(length * grid.step)
    for note in (note for part in score.parts if not part.is_drums for note in part.notes):
        first, last = (int((tick - grid.origin) // ticks) for tick in (note.start, max(note.end - 1, note.start)))
        for span in range(max(first, 0), min(last + 1, count)):
            begin = grid.origin + span * ticks
            weights[span][note.key % 12] += min(note.end, begin + ticks) - max(note.start, begin)
            lowest[span] = min(lowest[span], note.key)
    found: list[Named | None] = []
    for each, bass in zip(weights, lowest, strict=True):
        before = found[-1] if found else None
        found.append(_name(each, bass % 12, key, root) if sum(each) else before)
    return found


def _name(weights: Sequence[float], bass: int, key: Key, in_bass: float) -> Named:
    total = sum(weights)

    def fit(chord: Named) -> float:
        root, quality = chord
        inside = sum(weights[(root + interval) % 12] for interval in INTERVALS[quality])
        bonus = in_bass * (root == bass) + _OF_SCALE * (chord in _of_scale(key))
        return inside - _OUTSIDE * (total - inside) + bonus * total

    return max(((root, quality) for root in range(12) for quality in _QUALITIES), key=fit)


@cache
def _of_scale(key: Key) -> frozenset[Named]:
    """The triads of a scale; in minor with the major dominant."""
    classes = {(key.tonic + degree) % 12 for degree in _SCALES[key.minor]}
    triads = {
        (root, quality)
        for root in classes
        for quality in _QUALITIES
        if {(root + interval) % 12 for interval in INTERVALS[quality]} <= classes
    }
    return frozenset(triads | {((key.tonic + 7) % 12, Quality.MAJOR)})
