"""Chords as Roman numerals: `I`, `ii7`, `bVII`, `Imaj7`, `i5`, `viidim`, `Vsus`."""

import re
from dataclasses import dataclass
from functools import cache

from worker.engine.sampler.score import Quality

_NUMERAL = re.compile(r"^(b|#)?([IV]+|[iv]+)(maj7|7|5|dim|sus)?$")
_DEGREES = {"i": 0, "ii": 2, "iii": 4, "iv": 5, "v": 7, "vi": 9, "vii": 11}
_QUALITIES = {
    (True, ""): Quality.MAJOR,
    (True, "7"): Quality.DOMINANT7,
    (True, "maj7"): Quality.MAJOR7,
    (False, ""): Quality.MINOR,
    (False, "7"): Quality.MINOR7,
}
_BY_SUFFIX = {"5": Quality.POWER, "dim": Quality.DIMINISHED, "sus": Quality.SUSPENDED}
TONES = {
    Quality.MAJOR: (0, 4, 7),
    Quality.MINOR: (0, 3, 7),
    Quality.DOMINANT7: (0, 4, 7, 10),
    Quality.MAJOR7: (0, 4, 7, 11),
    Quality.MINOR7: (0, 3, 7, 10),
    Quality.POWER: (0, 7),
    Quality.DIMINISHED: (0, 3, 6, 9),
    Quality.SUSPENDED: (0, 5, 7),
}
MAJOR_SCALE, MINOR_SCALE = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
_PENTATONIC = {False: (0, 2, 4, 7, 9), True: (0, 3, 5, 7, 10)}
BLUES = (0, 3, 5, 6, 7, 10)


@dataclass(frozen=True, slots=True)
class Degree:
    """A chord relative to the tonic; its root is `semitones` above it."""

    semitones: int
    quality: Quality

    @property
    def tones(self) -> tuple[int, ...]:
        """Pitch classes above the tonic, the root first."""
        return tuple((self.semitones + tone) % 12 for tone in TONES[self.quality])


@cache
def degree(numeral: str) -> Degree:
    """Parse a Roman numeral. Degrees refer to the major scale in minor keys too: C minor's E flat is `bIII`.

    Raises:
        ValueError: if the numeral is invalid.
    """
    match = _NUMERAL.match(numeral)
    if not match:
        raise ValueError(f"{numeral!r} is not a chord")
    accidental, roman, suffix = match.groups()
    semitones = _DEGREES[roman.lower()] + {"b": -1, "#": 1, None: 0}[accidental]
    quality = _BY_SUFFIX.get(suffix) or _QUALITIES[roman.isupper(), suffix or ""]
    return Degree(semitones % 12, quality)


@cache
def progression(text: str) -> tuple[tuple[Degree, ...], ...]:
    """Parse a progression: spaces separate bars, a comma the two halves of a bar."""
    return tuple(tuple(degree(numeral) for numeral in bar.split(",")) for bar in text.split())


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
