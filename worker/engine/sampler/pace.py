"""Chooses a tempo and a meter that the model can play, near those that a recipe states."""

import random
from collections.abc import Iterator
from fractions import Fraction

from shared.music import DEFAULT_METER, HIGHEST_BPM, LOWEST_BPM, playable_tempo
from shared.prompt.reading import Reading
from worker.engine.sampler.conductor import METER_PLACE, codes_at, read_header
from worker.engine.sampler.repertoire import Idiom, Mood
from worker.engine.sampler.score import Header
from worker.engine.sampler.wish import format_tempo

# Quarter notes a bar for each meter. Meters that a score lacks map to bars of the same or a similar length.
BEATS = {"3/4": 3, "4/4": 4, "2/2": 4, "2/4": 4, "6/8": 3, "3/8": 3, "9/8": 3, "3/2": 3, "6/4": 3}
# Meters that sound the same after the mapping, so they need no warning.
SAME = ("3/4", "4/4", "2/2", "2/4")
LOWEST, HIGHEST = int(LOWEST_BPM), int(HIGHEST_BPM)
# How far a tempo may lie from its mood's place in the range.
_AROUND_MOOD = 0.2


def has_tempo(genre: Idiom, reading: Reading) -> bool:
    """Whether the stated tempo is usual in a genre."""
    slow, fast = reading.tempo or genre.tempo
    return slow <= genre.tempo[1] and fast >= genre.tempo[0]


def choose_tempo(reading: Reading, genre: Idiom, mood: Mood | None, source: random.Random) -> Fraction:
    """The stated tempo, doubled or halved if it is out of reach; of a range, a whole one that the genre usually has.

    A mood decides whether that is one of the slower or the faster ones.
    """
    slowest, fastest = map(Fraction, genre.tempo)
    slow, fast = reading.tempo or (slowest, fastest)
    if has_tempo(genre, reading):
        slow, fast = max(slow, slowest), min(fast, fastest)
    first, last = max(-(-slow // 1), LOWEST), min(fast // 1, HIGHEST)
    if slow < fast and first <= last:
        place = mood.tempo + source.uniform(-_AROUND_MOOD, _AROUND_MOOD) if mood else source.random()
        return Fraction(round(first + (last - first) * min(max(place, 0.0), 1.0)))
    return playable_tempo(slow)


def choose_meter(reading: Reading, level: int) -> str:
    """The stated meter, or one whose bars are as long or nearly, if scores of the level lack it."""
    stated = reading.meter or DEFAULT_METER
    known = {read_header(code, Header()).meter for code in codes_at(METER_PLACE, level)}
    return stated if stated in known else f"{BEATS.get(stated, 4)}/4"


def pace_warnings(reading: Reading, meter: str) -> Iterator[str]:
    """A sentence for each tempo or meter that the model cannot play as it is stated."""
    if reading.impossible_tempo is not None:
        sentence = f"{reading.impossible_tempo} BPM is no tempo that this model can play"
        yield f"{sentence}: it plays {LOWEST} to {HIGHEST} BPM."
    if reading.tempo is not None and (reading.tempo[1] < LOWEST or reading.tempo[0] > HIGHEST):
        slow = reading.tempo[0]
        changed = f"{format_tempo(slow)} BPM became {format_tempo(playable_tempo(slow))} BPM"
        yield f"This model plays {LOWEST} to {HIGHEST} beats a minute: {changed}."
    if reading.meter not in (None, meter, *SAME):
        yield f"This model cannot play in {reading.meter}: the music is in {meter}."
