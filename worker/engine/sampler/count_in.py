"""What a request gives of a piece: the count-in's codes, the exact tempo, and warnings about what a score cannot do.

The count-in's codes are forced, rather than filled into the KV cache beforehand, because the model fills in those that
the recipe leaves open: they lie between the given ones. It reads the same context either way.
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from shared.music import HIGHEST_BPM, LOWEST_BPM
from shared.prompt.reading import Reading
from worker.engine.sampler.clock import step_length
from worker.engine.sampler.conductor import (
    COUNT_INS,
    KEY,
    METER_PLACE,
    MOOD,
    NO_PLAYER,
    OPENING,
    PLAYER_PLACES,
    SECTION,
    SECTION_PLACE,
    TEMPO,
    codes_at,
    read_header,
)
from worker.engine.sampler.instruments import PLAYERS
from worker.engine.sampler.prompt_words import Words
from worker.engine.sampler.score import FASTEST, MOODS, SLOWEST, STEPS_PER_BEAT, Header, Section
from worker.engine.sampler.score_grammar import LAST_TO_JOIN, CodeLimits, no_limits
from worker.engine.sampler.wish import Wish, format_tempo

TEMPO_PLACE, KEY_PLACE, MOOD_PLACE = 0, 2, PLAYER_PLACES.stop
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
        longest: maximum steps of the count-in.
        warnings: a sentence for each statement that the score cannot follow.
    """

    limits: CodeLimits
    tempo: Fraction | None
    beats: Fraction | None
    warnings: tuple[str, ...]
    longest: int

    def frames(self, samples: int) -> int:
        """Frames that make at least this much audio: exactly as many as it takes if tempo and meter are given."""
        count_in = self.longest if self.beats is None else int(self.beats * STEPS_PER_BEAT)
        # A piece of n steps has n step lengths, to the nearest sample.
        exact = (samples - Fraction(1, 2)) / step_length(self.tempo or Fraction(FASTEST))
        return count_in + max(math.ceil(exact), 1)


def make_count_in(wish: Wish, level: int = 1) -> CountIn:
    """What a wish gives of a piece, for a model that writes scores of a level."""
    limits = no_limits(level)
    tempo, tempo_warnings = _give_tempo(limits.allowed, wish.reading)
    beats, meter_warnings = _give_meter(limits.allowed, wish.reading, level)
    if wish.reading.key is not None:
        code = KEY + 2 * wish.reading.key.tonic + wish.reading.key.minor
        _keep(limits.allowed, KEY_PLACE, {code})
    if wish.words.moods:
        _keep(limits.allowed, MOOD_PLACE, {MOOD + 1 + MOODS.index(mood) for mood in wish.words.moods})
    _give_players(limits, wish)
    _give_sections(limits, wish)
    warnings = (*wish.warnings, *tempo_warnings, *meter_warnings, *_sharing(wish.words))
    return CountIn(limits, tempo, beats, warnings, COUNT_INS[level])


def _sharing(words: Words) -> Iterator[str]:
    """A warning for each part with several of the named instruments."""
    for *others, last in words.shared:
        names = f"{', '.join(f'the {name}' for name in others)} and the {last}"
        yield f"{names[0].upper()}{names[1:]} share one part: they take turns, or one of them is not heard."


def _give_tempo(allowed: Tensor, reading: Reading) -> tuple[Fraction | None, list[str]]:
    """The exact tempo, and warnings."""
    if reading.impossible_tempo is not None:
        sentence = f"{reading.impossible_tempo} BPM is no tempo that this model can play"
        return None, [f"{sentence}: it plays {LOWEST} to {HIGHEST} BPM."]
    if reading.tempo is None:
        return None, []
    slow, fast, exact, warnings = _playable(*reading.tempo)
    _keep(allowed, TEMPO_PLACE, range(TEMPO + slow - SLOWEST, TEMPO + fast - SLOWEST + 1))
    return exact, warnings


def _give_meter(allowed: Tensor, reading: Reading, level: int) -> tuple[Fraction | None, list[str]]:
    """The quarter notes a bar, and warnings."""
    if reading.meter is None:
        return None, []
    meters = {code: read_header(code, Header()) for code in codes_at(METER_PLACE, level)}
    played = reading.meter
    if all(header.meter != played for header in meters.values()):
        played = f"{BEATS.get(reading.meter, 4)}/4"
    codes = {code for code, header in meters.items() if header.meter == played}
    _keep(allowed, METER_PLACE, codes)
    beats = Fraction(meters[min(codes)].steps, STEPS_PER_BEAT)
    if reading.meter in SAME or reading.meter == played:
        return beats, []
    return beats, [f"This model cannot play in {reading.meter}: the music is in {played}."]


def _give_players(limits: CodeLimits, wish: Wish) -> None:
    """Every named instrument has its stream, and enters at once if the piece is short."""
    for stream, names in wish.words.players.items():
        first = OPENING[PLAYER_PLACES[stream - 1]][0]
        _keep(limits.allowed, PLAYER_PLACES[stream - 1], {first + 1 + PLAYERS[stream].index(name) for name in names})
        limits.enters[stream - 1] = wish.begins_at_once
    if wish.reading.no_drums:
        _keep(limits.allowed, LAST_TO_JOIN, {OPENING[LAST_TO_JOIN][0] + NO_PLAYER})


def _give_sections(limits: CodeLimits, wish: Wish) -> None:
    """A piece of bars has an intro and an outro only on request."""
    if wish.begins_at_once:
        limits.opening[[SECTION + section for section in (Section.INTRO, Section.BREAK, Section.OUTRO)]] = False
    unwanted = [(Section.INTRO, wish.words.intro), (Section.OUTRO, wish.words.outro)] if wish.is_on_grid else []
    for section, asked in unwanted:
        limits.allowed[SECTION_PLACE, SECTION + section] &= asked


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
    changed = f"{format_tempo(slow)} BPM became {format_tempo(tempo)} BPM"
    return declared, declared, tempo, [f"This model plays {LOWEST} to {HIGHEST} beats a minute: {changed}."]


def _keep(allowed: Tensor, place: int, codes: Collection[int]) -> None:
    kept = torch.zeros_like(allowed[place])
    kept[list(codes)] = True
    allowed[place] &= kept
