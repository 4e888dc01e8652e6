"""Walking basses: a note on each beat, from root to root along the scale, with a half step into each new chord."""

import random
from collections.abc import Iterator

from training.music.form import Bar
from training.music.harmony import chord_scale
from training.music.plan import PiecePlan
from worker.engine.sampler.degrees import Degree

# The register above the instrument's lowest note, and where in it a line turns round.
_REACH, _TURN_UP, _TURN_DOWN = 22, 6, 14
# Probability that a step skips a note of the scale, and that the half step comes from below.
_SKIP, _FROM_BELOW = 0.3, 0.7


class Walker:
    """Walks through the bars of a piece, from the pitch that it has reached."""

    def __init__(self, plan: PiecePlan, source: random.Random) -> None:
        self._plan, self._source = plan, source
        self._pitch = 0
        self._rises = True

    def walk(self, bar: Bar, lowest: int, goal: Degree) -> Iterator[tuple[int, int]]:
        """The step and the pitch of each note of a bar.

        Args:
            bar: the bar.
            lowest: the instrument's lowest note.
            goal: the next bar's first chord.
        """
        beats = self._plan.measure.beats
        changes = {step for step, _ in bar.chords}
        self._pitch = min(self._pitch or lowest + _TURN_UP, lowest + _REACH - 6)
        for step, following in zip(beats, [*beats[1:], None], strict=True):
            chord = bar.chord_at(step)
            if step in changes:
                self._arrive(chord, lowest)
            elif following is None or following in changes:
                self._approach(goal if following is None else bar.chord_at(following), lowest)
            else:
                self._go_on(chord, lowest)
            yield step, self._pitch

    def _arrive(self, chord: Degree, lowest: int) -> None:
        """On the chord's root; the line then goes up or down."""
        self._pitch = self._nearest([chord.semitones], self._pitch, lowest)
        height = self._pitch - lowest
        self._rises = height < _TURN_UP or (height < _TURN_DOWN and self._source.random() < 0.5)

    def _approach(self, chord: Degree, lowest: int) -> None:
        """A half step below or above the next chord's root."""
        root = self._nearest([chord.semitones], self._pitch, lowest)
        below = root > lowest and self._source.random() < _FROM_BELOW
        self._pitch = root - 1 if below else root + 1

    def _go_on(self, chord: Degree, lowest: int) -> None:
        """The next note of the scale in the line's direction, or the one after it."""
        scale = chord_scale(chord, self._plan.header.minor)
        way = range(self._pitch + 1, lowest + _REACH) if self._rises else range(self._pitch - 1, lowest - 1, -1)
        notes = [pitch for pitch in way if (pitch - self._plan.header.key) % 12 in scale]
        skips = len(notes) > 1 and self._source.random() < _SKIP
        self._pitch = notes[int(skips)] if notes else self._nearest(scale, self._pitch, lowest)

    def _nearest(self, degrees: list[int] | tuple[int, ...], pitch: int, lowest: int) -> int:
        wanted = {(self._plan.header.key + degree) % 12 for degree in degrees}
        return min(
            (each for each in range(lowest, lowest + _REACH) if each % 12 in wanted), key=lambda each: abs(each - pitch)
        )
