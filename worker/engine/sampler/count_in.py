"""What a wish gives of a piece, by its plan: the count-in's codes, who plays by when, and the model's caption.

The count-in's codes are forced, rather than filled into the KV cache beforehand, because the model fills in those that
the plan leaves open: they lie between the given ones. It reads the same context either way.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from worker.engine.sampler.clock import step_length
from worker.engine.sampler.conductor import (
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
from worker.engine.sampler.groove import forbidden_codes
from worker.engine.sampler.harmony import chord_numbers, free_chords
from worker.engine.sampler.instruments import HIT_STREAMS, PLAYERS, Stream
from worker.engine.sampler.plan import Plan, make_plan
from worker.engine.sampler.rests import NO_DEADLINE, OFF_BEAT
from worker.engine.sampler.score import FASTEST, MOODS, SLOWEST, STEPS_PER_BEAT, Header
from worker.engine.sampler.score_grammar import CodeLimits, no_limits
from worker.engine.sampler.wish import Wish

TEMPO_PLACE, KEY_PLACE, MOOD_PLACE = 0, 2, PLAYER_PLACES.stop


@dataclass(frozen=True, slots=True, eq=False)
class CountIn:
    """What is given of a piece.

    Attributes:
        limits: the codes that may be sampled.
        tempo: in quarter notes a minute, exact. The codes declare the nearest tempo that they have.
        beats: quarter notes a bar.
        caption: for the model's text encoder.
        warnings: a sentence for each statement that the piece does not follow.
    """

    limits: CodeLimits
    tempo: Fraction
    beats: Fraction
    caption: str
    warnings: tuple[str, ...]

    def frames(self, samples: int) -> int:
        """Frames that make this much audio."""
        # A piece of n steps has n step lengths, to the nearest sample.
        exact = (samples - Fraction(1, 2)) / step_length(self.tempo)
        return int(self.beats * STEPS_PER_BEAT) + max(math.ceil(exact), 1)


def make_count_in(wish: Wish, level: int = 1) -> CountIn:
    """What a wish gives of a piece, for a model that writes scores of a level."""
    plan = make_plan(wish, level)
    limits = no_limits(level)
    _give_header(limits.allowed, plan, level)
    for stream, players in plan.cast.players.items():
        _keep(limits.allowed, PLAYER_PLACES[stream - 1], {_player_code(stream, player) for player in players})
    for stream, bar in plan.deadlines.items():
        limits.deadlines[stream - 1] = int(bar * plan.beats * STEPS_PER_BEAT) + OFF_BEAT[stream]
    for stream, bars in plan.rests.items():
        limits.rests[stream - 1] = bars
    _give_sections(limits, plan)
    limits = limits._replace(
        drums=forbidden_codes(plan.groove),
        patience=torch.tensor(_patience(plan)),
        chords=free_chords() if _has_harmony(wish) else chord_numbers(plan.progression, minor=plan.key.minor),
    )
    return CountIn(limits, plan.tempo, plan.beats, plan.caption, plan.warnings)


def _has_harmony(wish: Wish) -> bool:
    """Whether pitched notes are given."""
    return any(player and stream not in HIT_STREAMS for stream, player in wish.given.items())


def _patience(plan: Plan) -> int:
    """See `CodeLimits`: a second's silence is heard if nothing but drums and percussion plays."""
    return math.floor(plan.tempo * STEPS_PER_BEAT / 60) if plan.cast.is_beat else NO_DEADLINE


def _give_header(allowed: Tensor, plan: Plan, level: int) -> None:
    declared = min(max(math.floor(plan.tempo + Fraction(1, 2)), SLOWEST), FASTEST)
    _keep(allowed, TEMPO_PLACE, {TEMPO + declared - SLOWEST})
    feels = {code: read_header(code, Header()) for code in codes_at(METER_PLACE, level)}
    meters = {code: feel.swing for code, feel in feels.items() if feel.meter == plan.meter}
    swung = {code for code, swing in meters.items() if swing == plan.swing}
    _keep(allowed, METER_PLACE, swung or meters)
    _keep(allowed, KEY_PLACE, {KEY + 2 * plan.key.tonic + plan.key.minor})
    _keep(allowed, MOOD_PLACE, {MOOD + (0 if plan.mood is None else 1 + MOODS.index(plan.mood))})


def _player_code(stream: Stream, player: str | None) -> int:
    number = NO_PLAYER if player is None else 1 + PLAYERS[stream].index(player)
    return OPENING[PLAYER_PLACES[stream - 1]][0] + number


def _give_sections(limits: CodeLimits, plan: Plan) -> None:
    """The sections of the bars that the plan chooses; the model chooses the others, among those that are wanted."""
    for section in plan.unwanted:
        limits.allowed[SECTION_PLACE, SECTION + section] = False
    for bar, section in plan.form.items():
        limits.sections[bar] = SECTION + section


def _keep(allowed: Tensor, place: int, codes: Collection[int]) -> None:
    kept = torch.zeros_like(allowed[place])
    kept[list(codes)] = True
    allowed[place] &= kept
