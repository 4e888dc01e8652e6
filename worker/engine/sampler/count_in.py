"""What a recipe gives of a piece: the count-in's codes, the exact tempo, and warnings about what a score cannot do.

The count-in's codes are forced, rather than filled into the KV cache beforehand, because the model fills in those that
the recipe leaves open: they lie between the given ones. It reads the same context either way.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from shared.messages import Recipe
from shared.music import HIGHEST_BPM, LOWEST_BPM, parse_key
from shared.prompt_reader import Reading, read_prompt
from worker.engine.sampler.clock import step_length
from worker.engine.sampler.conductor import COUNT_IN, KEY, METER, METER_PLACE, OPENING, TEMPO
from worker.engine.sampler.score import FASTEST, SLOWEST, STEPS_PER_BEAT
from worker.engine.sampler.score_grammar import LAST_TO_JOIN, Limits, every_code

TEMPO_PLACE, KEY_PLACE = 0, 2
# Quarter notes a bar for each meter. Meters that a score lacks map to bars of the same or a similar length.
BEATS = {"3/4": 3, "4/4": 4, "2/2": 4, "2/4": 4, "6/8": 3, "3/8": 3, "9/8": 3, "3/2": 3, "6/4": 3}
# Meters that sound the same after the mapping, so they need no warning.
SAME = ("3/4", "4/4", "2/2", "2/4")
LOWEST, HIGHEST = int(LOWEST_BPM), int(HIGHEST_BPM)


@dataclass(frozen=True, slots=True, eq=False)
class CountIn:
    """What is given of a piece.

    Attributes:
        limits: the codes that may be sampled.
        tempo: in quarter notes a minute, exact; None if the model chooses it. The codes declare the nearest tempo that
            they have.
        beats: quarter notes a bar; None if the model chooses them.
        warnings: a sentence for each statement that the score cannot follow.
    """

    limits: Limits
    tempo: Fraction | None
    beats: int | None
    warnings: tuple[str, ...]

    def frames(self, samples: int) -> int:
        """Frames that make at least this much audio: exactly as many as it takes if tempo and meter are given."""
        count_in = COUNT_IN if self.beats is None else self.beats * STEPS_PER_BEAT
        # A piece of n steps has n step lengths, to the nearest sample.
        exact = (samples - Fraction(1, 2)) / step_length(self.tempo or Fraction(FASTEST))
        return count_in + max(math.ceil(exact), 1)


def read_recipe(recipe: Recipe) -> tuple[Reading, tuple[str, ...]]:
    """What a recipe states of its music: its fields come before its prompt's words.

    Returns:
        The reading, and a warning for each contradiction between the fields and the words.
    """
    reading, warnings = read_prompt(recipe.prompt), []
    given = reading
    if recipe.bpm is not None:
        tempo = Fraction(recipe.bpm)
        if reading.tempo and not reading.tempo[0] <= tempo <= reading.tempo[1]:
            warnings.append(_contradiction(f"{_number(reading.tempo[0])} BPM", "bpm", f"{_number(tempo)} BPM"))
        given = replace(given, tempo=(tempo, tempo), impossible_tempo=None)
    if recipe.meter is not None:
        if reading.meter not in (None, recipe.meter):
            warnings.append(_contradiction(str(reading.meter), "meter", recipe.meter))
        given = replace(given, meter=recipe.meter)
    if recipe.key is not None:
        key = parse_key(recipe.key)
        if reading.key not in (None, key):
            warnings.append(_contradiction(reading.key.name, "key", key.name))
        given = replace(given, key=key)
    return given, tuple(warnings)


def make_count_in(reading: Reading) -> CountIn:
    """What a reading gives of a piece."""
    limits, warnings, exact, beats = every_code(), [], None, None
    if reading.tempo is not None:
        slow, fast, exact, warning = _playable(*reading.tempo)
        _keep(limits, TEMPO_PLACE, TEMPO + slow - SLOWEST, TEMPO + fast - SLOWEST)
        warnings += warning
    if reading.impossible_tempo is not None:
        warnings.append(
            f"{reading.impossible_tempo} BPM is no tempo that this model can play: it plays {LOWEST} to {HIGHEST} BPM."
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
    return CountIn(limits, exact, beats, tuple(warnings))


def _playable(slow: Fraction, fast: Fraction) -> tuple[int, int, Fraction | None, list[str]]:
    """The first and last tempo that the codes may declare, the exact tempo, and warnings.

    The model chooses a whole tempo within a range. A tempo out of reach is doubled or halved.
    """
    lowest, highest = max(-(-slow // 1), SLOWEST), min(fast // 1, FASTEST)
    if slow < fast and lowest <= highest:
        return lowest, highest, None, []
    tempo = slow
    while tempo > HIGHEST:
        tempo /= 2
    while tempo < LOWEST:
        tempo *= 2
    declared = min(max(math.floor(tempo + Fraction(1, 2)), SLOWEST), FASTEST)
    if tempo == slow:
        return declared, declared, tempo, []
    changed = f"{_number(slow)} BPM became {_number(tempo)} BPM"
    return declared, declared, tempo, [f"This model plays {LOWEST} to {HIGHEST} beats a minute: {changed}."]


def _number(tempo: Fraction) -> str:
    return f"{float(tempo):.10g}"


def _contradiction(words: str, field: str, value: str) -> str:
    return f"The prompt says {words}, but the request's {field} is {value}: the music follows the request."


def _keep(limits: Limits, place: int, first: int, last: int) -> None:
    limits[place, :first] = False
    limits[place, last + 1 :] = False
