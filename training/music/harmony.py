"""The scales that fit a chord in a key."""

from functools import cache

from worker.engine.sampler.degrees import Degree
from worker.engine.sampler.score import Quality

MAJOR_SCALE, MINOR_SCALE = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
_PENTATONIC = {False: (0, 2, 4, 7, 9), True: (0, 3, 5, 7, 10)}
BLUES = (0, 3, 5, 6, 7, 10)


@cache
def chord_scale(chord: Degree, minor: bool) -> tuple[int, ...]:
    """The scale over a chord: the key's scale, adapted to chord tones outside of it.

    A major third outside of the scale is a leading tone and replaces the note below; any other chord tone outside of
    the scale is a flattened note and replaces the note above.
    """
    tones, scale = chord.tones, set(MINOR_SCALE if minor else MAJOR_SCALE)
    for index, tone in enumerate(tones):
        if tone not in scale:
            raised = index == 1 and chord.quality in (Quality.MAJOR, Quality.DOMINANT7, Quality.MAJOR7)
            neighbor = (tone - 1 if raised else tone + 1) % 12
            scale -= {neighbor} - set(tones)
    return tuple(sorted(scale | set(tones)))


def melody_scale(chord: Degree, minor: bool, kind: str) -> tuple[int, ...]:
    """The notes of a melody over a chord, of the kind `scale`, `pentatonic` or `blues`."""
    if kind == "blues":
        return tuple(sorted({*BLUES, *chord.tones}))
    scale = chord_scale(chord, minor)
    if kind == "pentatonic":
        return tuple(sorted({*scale} & {*_PENTATONIC[minor]} | {*chord.tones}))
    return scale
