"""Restricts the count-in to what a prompt states, and warns about what a score cannot do."""

from fractions import Fraction

from shared.prompt_reader import Reading
from worker.engine.sampler.conductor import KEY, METER, METER_PLACE, OPENING, TEMPO
from worker.engine.sampler.score import FASTEST, SLOWEST
from worker.engine.sampler.score_grammar import LAST_TO_JOIN, Limits, every_code

TEMPO_PLACE, KEY_PLACE = 0, 2
# Quarter notes a bar for each meter. Meters that a score lacks map to bars of the same or a similar length.
BEATS = {"3/4": 3, "4/4": 4, "2/2": 4, "2/4": 4, "6/8": 3, "3/8": 3, "9/8": 3, "3/2": 3, "6/4": 3}
# Meters that sound the same after the mapping, so they need no warning.
SAME = ("3/4", "4/4", "2/2", "2/4")


def make_limits(reading: Reading) -> tuple[Limits, tuple[str, ...]]:
    """The codes that may be sampled, and a warning for each statement of the prompt that the score cannot follow."""
    limits, warnings = every_code(), []
    if reading.tempo is not None:
        slow, fast, warning = _playable(*reading.tempo)
        _keep(limits, TEMPO_PLACE, TEMPO + slow - SLOWEST, TEMPO + fast - SLOWEST)
        warnings += warning
    if reading.impossible_tempo is not None:
        warnings.append(
            f"{reading.impossible_tempo} BPM is no tempo that this model can play: it plays {SLOWEST} to {FASTEST} BPM."
        )
    if reading.meter is not None:
        beats = BEATS.get(reading.meter, 4)
        _keep(limits, METER_PLACE, METER + (beats - 3) * 3, METER + (beats - 3) * 3 + 2)
        if reading.meter not in SAME:
            warnings.append(f"This model cannot play in {reading.meter}: the music is in {beats}/4.")
    if reading.key is not None:
        code = KEY + 2 * reading.key.tonic + reading.key.minor
        _keep(limits, KEY_PLACE, code, code)
    if reading.no_drums:
        first = OPENING[LAST_TO_JOIN][0]
        _keep(limits, LAST_TO_JOIN, first, first)
    return limits, tuple(warnings)


def _playable(slow: Fraction, fast: Fraction) -> tuple[int, int, list[str]]:
    """The playable range of whole tempos within a range; without one the nearest tempo, doubled or halved if needed."""
    lowest, highest = max(-(-slow // 1), SLOWEST), min(fast // 1, FASTEST)
    if lowest <= highest:
        return lowest, highest, []
    tempo = slow
    while tempo > FASTEST:
        tempo /= 2
    while tempo < SLOWEST:
        tempo *= 2
    nearest = int(tempo + Fraction(1, 2))
    warning = _tempo_warning(slow, nearest)
    return nearest, nearest, [warning] if warning else []


def _tempo_warning(wanted: Fraction, given: int) -> str | None:
    """The warning about a changed tempo; None if both print the same."""
    name = f"{float(wanted):.10g}"
    if name == str(given):
        return None
    if SLOWEST <= wanted <= FASTEST:
        return f"This model plays whole beats a minute: {name} BPM became {given} BPM."
    return f"This model plays {SLOWEST} to {FASTEST} beats a minute: {name} BPM became {given} BPM."


def _keep(limits: Limits, place: int, first: int, last: int) -> None:
    limits[place, :first] = False
    limits[place, last + 1 :] = False
