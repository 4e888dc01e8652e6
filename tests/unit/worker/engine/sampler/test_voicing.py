from itertools import pairwise, product

import pytest

from worker.engine.sampler.score import Quality
from worker.engine.sampler.voicing import INTERVALS, voice_chord


@pytest.mark.parametrize(("root", "quality"), list(product(range(12), Quality)))
def test_a_chord_has_its_notes_near_the_centre(root: int, quality: Quality) -> None:
    notes = voice_chord(root, quality, 60.0)

    assert {note % 12 for note in notes} == {(root + interval) % 12 for interval in INTERVALS[quality]}
    assert list(notes) == sorted(notes)
    assert notes[-1] - notes[0] <= 12
    assert abs(sum(notes) / len(notes) - 60) <= 6


def test_changes_are_smooth() -> None:
    chords = [voice_chord(root, Quality.MAJOR, 60.0) for root in (0, 5, 7, 0)]
    for one, other in pairwise(chords):
        assert max(abs(a - b) for a, b in zip(one, other, strict=True)) <= 4


def test_a_power_chord_is_root_fifth_and_octave() -> None:
    assert voice_chord(4, Quality.POWER, 46.0) == (40, 47, 52)
