"""Divides notes among players of one line each: the highest note of a moment to the first, the lowest to the last."""

from collections.abc import Sequence
from itertools import combinations

from shared.note_score import TimedNote
from worker.engine.sampler.roles import moments


def divide(notes: Sequence[TimedNote], count: int, division: int) -> list[list[TimedNote]]:
    """The notes of each of `count` voices, from the highest voice to the lowest. No note is lost.

    Of a moment with fewer notes than voices, each note goes to the voice that it is nearest to. Of one with more, the
    outer voices have one note each.

    Args:
        notes: in the order of their starts.
        count: at least 2.
        division: ticks per quarter note.
    """
    keys = sorted((note.key for note in notes), reverse=True)
    # The last key of each voice; before its first note, its share of the keys.
    last = [float(keys[(2 * voice + 1) * len(keys) // (2 * count)]) for voice in range(count)]
    voices: list[list[TimedNote]] = [[] for _ in range(count)]
    for group in moments(notes, division):
        falling = sorted(group, key=lambda note: -note.key)
        for voice, note in zip(_voices_of([note.key for note in falling], last), falling, strict=True):
            voices[voice].append(note)
            last[voice] = note.key
    return [sorted(voice, key=lambda note: note.start) for voice in voices]


def _voices_of(keys: Sequence[int], last: Sequence[float]) -> Sequence[int]:
    """The voice of each key, of keys from high to low. Voices do not cross within a moment."""
    count = len(last)
    if len(keys) > count:
        inner = [1 + place * (count - 2) // (len(keys) - 2) for place in range(len(keys) - 2)] if count > 2 else []
        return [0, *inner, count - 1] if count > 2 else [0, *[1] * (len(keys) - 1)]
    return min(
        combinations(range(count), len(keys)),
        key=lambda voices: sum(abs(key - last[voice]) for key, voice in zip(keys, voices, strict=True)),
    )
