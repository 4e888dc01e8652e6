"""Holds bass, chords and pad to the plan's progression, so that the notes make the key plain.

The progressions that a model learned are often as much in the relative key: i bVI bIII bVII is also vi IV I V. The
repertoire has those whose notes suggest their own key. The model writes rhythm and velocities, and what the other
streams play to the chords.
"""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from worker.engine.sampler.codes import CODEBOOK_SIZE, FIRST, NOTHING, STOP, event_of
from worker.engine.sampler.degrees import Degree
from worker.engine.sampler.instruments import PLAYERS, Stream
from worker.engine.sampler.score import Chord, Note, Quality

# The streams that a progression restricts.
BOUND = (Stream.BASS, Stream.CHORDS, Stream.PAD)
# Bars after which every progression begins again: a multiple of all their lengths, and longer than given music.
CYCLE = 264
# Number of a chord that the model chooses.
FREE = 0
# Sixteenths before a bar in which its chord may come early.
EARLY = 2
# The roots of minor triads in a key that is not minor, and in one that is.
_MINOR_ROOTS = {False: (2, 4, 9), True: (0, 5, 7)}


def chord_numbers(progression: Sequence[Degree], *, minor: bool) -> Tensor:
    """The chord of each bar for each stream of `BOUND`: int64 of shape [CYCLE, 3].

    Args:
        progression: a chord for each bar; its length divides `CYCLE`.
        minor: whether the key is minor. A pad over power chords has the key's thirds.
    """
    bars = [(chord, chord, _with_third(chord, minor)) for chord in progression]
    numbers = torch.tensor([[chord_number(chord.semitones, chord.quality) for chord in bar] for bar in bars])
    return numbers.repeat(CYCLE // len(bars), 1)


def free_chords() -> Tensor:
    """No progression; see `chord_numbers`."""
    return torch.full((CYCLE, len(BOUND)), FREE)


def _with_third(chord: Degree, minor: bool) -> Degree:
    if chord.quality is not Quality.POWER:
        return chord
    return Degree(chord.semitones, Quality.MINOR if chord.semitones in _MINOR_ROOTS[minor] else Quality.MAJOR)


def chord_number(root: int, quality: Quality) -> int:
    """The number of a chord, whose root is in semitones above the tonic."""
    return 1 + root * len(Quality) + quality


@cache
def _fitting() -> Tensor:
    """Which codes fit a chord in each stream of `BOUND`: bool of shape [chords, 3, codes].

    In chords and pad, that chord; in the bass, its root.
    """
    table = torch.ones(1 + 12 * len(Quality), len(BOUND), CODEBOOK_SIZE, dtype=torch.bool)
    table[1:, :, FIRST:] = False
    for row, stream in enumerate(BOUND):
        for code in range(FIRST, CODEBOOK_SIZE):
            match event_of(stream, code, PLAYERS[stream][0], 0):
                case Note(pitch=pitch):
                    table[[chord_number(pitch % 12, quality) for quality in Quality], row, code] = True
                case Chord(root=root, quality=quality):
                    table[chord_number(root, quality), row, code] = True
    return table


class HarmonyLimiter:
    """Part of `ScoreGrammar`. The state has one extra slot for scratch."""

    def __init__(self, slots: int, device: torch.device) -> None:
        self._fitting = _fitting().to(device)
        self._chords = free_chords().to(device).repeat(slots + 1, 1, 1)
        self._frame = torch.zeros(slots + 1, len(BOUND), dtype=torch.int64, device=device)
        self._shares = torch.ones(slots + 1, dtype=torch.int64, device=device)
        # The last code of each stream that began a sound, or `STOP`.
        self._sounding = torch.full_like(self._frame, STOP)
        self._rows = torch.arange(len(BOUND), device=device)
        # A bass walks: only the first note of a bar is bound.
        self._walks = self._rows == BOUND.index(Stream.BASS)

    def begin(self, slot: int, chords: Tensor, shares: Tensor) -> None:
        """Reset a slot for a new request; see `CodeLimits` for `chords` and `shares`."""
        self._chords[slot] = chords.to(self._chords.device)
        self._shares[slot] = shares.to(self._shares.device)
        self._frame[slot], self._sounding[slot] = 0, STOP

    def restrict(self, slots: Tensor, logits: Tensor, steps: Tensor) -> None:
        """Exclude other chords, and let none sound on into a bar of another chord; see `Grammar.restrict`."""
        shares = self._shares[slots][:, None]
        length = steps[:, None] // shares
        bar, place = self._frame[slots] // length - shares, self._frame[slots] % length
        begins = place == 0
        chord = self._of_bar(slots, bar) * (begins | ~self._walks)
        early = place >= length - EARLY
        following = torch.where(early, self._of_bar(slots, bar + 1) * ~self._walks, chord)
        forbidden = ~(self._fitting[chord, self._rows] | self._fitting[following, self._rows])
        stale = begins & ~self._fitting[chord, self._rows, self._sounding[slots]]
        forbidden[:, :, :FIRST] = stale[:, :, None]
        logits[:, BOUND[0] : BOUND[-1] + 1].masked_fill_(forbidden, float("-inf"))

    def _of_bar(self, slots: Tensor, bar: Tensor) -> Tensor:
        """The number of each stream's chord; `FREE` in the count-in."""
        return self._chords[slots[:, None], bar % CYCLE, self._rows] * (bar >= 0)

    def revise(self, slots: Tensor, codes: Tensor, kept: Tensor) -> None:
        """Advance the streams by a step; see `Grammar.revise` for `codes` and `kept`, here of all streams."""
        own, held = codes[:, BOUND[0] : BOUND[-1] + 1], kept[:, BOUND[0] : BOUND[-1] + 1]
        self._sounding[slots] = torch.where(held & (own != NOTHING), own, self._sounding[slots])
        self._frame[slots] += held
