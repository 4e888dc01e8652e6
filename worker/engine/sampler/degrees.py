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
