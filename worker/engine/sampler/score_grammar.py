"""The codes that are valid at each place of a bar. Sampling is restricted to them, so no slip can shift the grid.

The count-in declares tempo, meter, key, mood and players for the whole piece. Later bars may change the section, and
may replace a player by another one. At least one stream has a player. A break that the model chooses ends after at most
eight bars. No bar is `END`: the request decides the length.
A request narrows the codes further (`CodeLimits`).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from worker.engine.sampler.codes import CODEBOOK_SIZE, readable
from worker.engine.sampler.conductor import (
    COUNT_INS,
    METER_PLACE,
    NO_PLAYER,
    OPENING,
    PLAYER_PLACES,
    SECTION,
    SECTION_PLACE,
    codes_at,
    steps_of,
)
from worker.engine.sampler.groove import BARE, KINDS, Groove, GrooveLimiter, forbidden_codes
from worker.engine.sampler.harmony import HarmonyLimiter, free_chords
from worker.engine.sampler.held_codes import HeldCodes, no_held_codes
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.long_notes import LongNoteLimiter
from worker.engine.sampler.rests import NO_DEADLINE, DrawnStep, RestLimiter
from worker.engine.sampler.score import LONGEST_BAR, Header, Section

# The place whose stream must have a player if no other stream has one: drums, or the lead if the prompt refuses drums.
LAST_TO_JOIN = PLAYER_PLACES[Stream.DRUMS - 1]

LONGEST_BREAK = 8
# Bars of a piece whose sections a request can choose.
LONGEST_FORM = 256
_BREAK = SECTION + Section.BREAK


class CodeLimits(NamedTuple):
    """The restrictions of a request, an argument of `ScoreGrammar.begin`. The caller narrows `no_limits()`.

    Attributes:
        allowed: the conductor's codes in every bar: bool of shape [places of the longest bar, codes].
        sections: the code of each bar's section, 0 where the model chooses it: int64 of shape [LONGEST_FORM].
        deadlines: the step, from the first bar's beginning, by which each stream has played: int64 of shape [7].
        rests: the bars of sections with the whole band for which each stream may rest: int64 of shape [7].
        drums: see `forbidden_codes`.
        patience: the steps of silence after which a piece of hits goes on: int64 of shape [].
        chords: see `chord_numbers`.
        chord_shares: into how many parts each bar is divided, whose chords are those of `chords`: int64 of shape [].
        held: the codes of each frame that are given, count-in included; -1 where the model composes, and after the
            last frame: int64 of shape [8, frames].
        counted: the first frame of those whose likelihood counts, and the frame after the last: int64 of shape [2].
    """

    allowed: Tensor
    sections: Tensor
    deadlines: Tensor
    rests: Tensor
    drums: Tensor
    patience: Tensor
    chords: Tensor
    chord_shares: Tensor
    held: Tensor
    counted: Tensor


def no_limits(level: int = 1) -> CodeLimits:
    """All codes that scores of a level have."""
    sections = torch.zeros(LONGEST_FORM, dtype=torch.int64)
    deadlines = torch.full((len(PLAYER_PLACES),), NO_DEADLINE)
    beat, patience = forbidden_codes(Groove()), torch.tensor(NO_DEADLINE)
    limits = _every_code(level), sections, deadlines, deadlines.clone(), beat, patience, free_chords(), torch.tensor(1)
    return CodeLimits(*limits, *no_held_codes())


def _every_code(level: int) -> Tensor:
    table = torch.zeros(LONGEST_BAR, CODEBOOK_SIZE, dtype=torch.bool)
    for place in range(LONGEST_BAR):
        table[place, codes_at(place, level)] = True
    table[SECTION_PLACE, SECTION + Section.END] = False
    return table


class ScoreGrammar:
    """See `Grammar`. The state has one extra slot for scratch."""

    def __init__(
        self, slots: int, device: torch.device, level: int = 1, longest: int = LONGEST_FORM * LONGEST_BAR
    ) -> None:
        """Begin without requests.

        Args:
            slots: how many requests run at once.
            device: where the logits are.
            level: of the scores that the model was trained on; it writes no codes of later levels.
            longest: frames of the longest piece.
        """
        self._level = level
        self._readable = torch.from_numpy(readable(level)).to(device)
        self._kinds = _kinds().to(device)
        self._bar_steps = _bar_steps().to(device)
        self._names = _names().to(device)
        self._player_places = torch.tensor(PLAYER_PLACES, device=device)
        self._rests = RestLimiter(slots, device)
        self._groove = GrooveLimiter(slots, device)
        self._harmony = HarmonyLimiter(slots, device)
        self._long_notes = LongNoteLimiter(slots, device)
        self._held = HeldCodes(slots, device, longest)
        self._section_kinds = _section_kinds().to(device)
        self._allowed = _every_code(level).to(device).repeat(slots + 1, 1, 1)
        self._sections = torch.zeros(slots + 1, LONGEST_FORM, dtype=torch.int64, device=device)
        self._codes = torch.arange(CODEBOOK_SIZE, device=device)
        self._place = torch.zeros(slots + 1, dtype=torch.int64, device=device)
        self._steps = torch.full_like(self._place, COUNT_INS[level])
        self._last_to_join = torch.full_like(self._place, LAST_TO_JOIN)
        # -1 is the count-in.
        self._bar = torch.full_like(self._place, -1)
        self._plays = torch.zeros(slots + 1, len(PLAYER_PLACES), dtype=torch.bool, device=device)
        # Bars of the present break.
        self._breaks = torch.zeros_like(self._place)

    def begin(self, slot: int, limits: tuple[Tensor, ...] | None) -> None:
        """See `Grammar.begin`. `limits` are `CodeLimits` that leave at least one code at each place."""
        given = no_limits(self._level) if limits is None else CodeLimits(*limits)
        self._allowed[slot] = given.allowed.to(self._allowed.device)
        self._sections[slot] = given.sections.to(self._sections.device)
        self._place[slot], self._steps[slot] = 0, COUNT_INS[self._level]
        self._last_to_join[slot] = LAST_TO_JOIN - (not bool((_names() & given.allowed[LAST_TO_JOIN]).any()))
        self._bar[slot], self._plays[slot], self._breaks[slot] = -1, False, 0
        self._rests.begin(slot, given.deadlines, given.patience, given.rests)
        self._groove.begin(slot, given.drums)
        self._harmony.begin(slot, given.chords, given.chord_shares)
        self._long_notes.begin(slot)
        self._held.begin(slot, given.held, given.counted)

    def restrict(self, slots: Tensor, logits: Tensor) -> None:
        """See `Grammar.restrict`."""
        self._held.rate(slots, logits)
        place, bar = self._place[slots], self._bar[slots]
        alone = (place == self._last_to_join[slots]) & (bar < 0) & ~self._plays[slots].any(1)
        allowed = self._allowed[slots, place] & (self._names | ~alone[:, None])
        allowed[:, _BREAK] &= self._breaks[slots] < LONGEST_BREAK
        # The count-in declares the first bar's section.
        section = self._sections[slots, bar.clamp(0, LONGEST_FORM - 1)]
        chosen = (place == SECTION_PLACE) & (section > 0)
        allowed = torch.where(chosen[:, None], self._codes == section[:, None], allowed)
        logits[:, Stream.CONDUCTOR].masked_fill_(~allowed, float("-inf"))
        logits[:, Stream.BASS :].masked_fill_(~self._readable, float("-inf"))
        self._groove.restrict(slots, logits, self._steps[slots])
        self._harmony.restrict(slots, logits, self._steps[slots])
        self._long_notes.restrict(slots, logits, self._steps[slots])
        self._rests.restrict(slots, logits, self._steps[slots])
        self._held.restrict(slots, logits)

    def likelihood(self, slot: int) -> Tensor:
        """See `TokenConstraint.likelihood`."""
        return self._held.likelihood(slot)

    def revise(self, slots: Tensor, drawn: Tensor, kept: Tensor, sequence: Tensor, position: Tensor) -> Tensor:
        """See `Grammar.revise`."""
        place, steps, bar = self._place[slots], self._steps[slots], self._bar[slots]
        plays = self._plays[slots]
        begins = (place == 0) & (bar >= 0)
        code, told = drawn[:, Stream.CONDUCTOR], kept[:, Stream.CONDUCTOR]
        declares_section = told & (place == SECTION_PLACE) & (bar >= 0)
        kind = torch.where(declares_section, self._section_kinds[code], -1)
        held = self._held.revise(slots, kept)
        codes = self._rests.revise(
            DrawnStep(slots, drawn, kept, sequence, position, steps, plays, begins, held, kind == BARE)
        )
        self._harmony.revise(slots, codes, kept)
        self._long_notes.revise(slots, codes, kept)
        self._groove.revise(slots, kept[:, Stream.DRUMS], kind)
        declares = told & (bar < 0)
        present = self._allowed[slots, place]
        declared = self._kinds[code][:, None] == self._kinds
        self._allowed[slots, place] = present & (declared | ~declares[:, None])
        self._plays[slots] = plays | ((declares & self._names[code])[:, None] & (self._player_places == place[:, None]))
        breaks = torch.where(code == _BREAK, self._breaks[slots] + 1, 0)
        self._breaks[slots] = torch.where(declares_section, breaks, self._breaks[slots])
        steps = torch.where(declares & (place == METER_PLACE), self._bar_steps[code], steps)
        following = torch.where(told, (place + 1) % steps, place)
        self._steps[slots], self._place[slots] = steps, following
        self._bar[slots] = bar + (told & (following == 0))
        return codes


def _kinds() -> Tensor:
    """For each code, the first code of the group that may replace it in later bars: int64 of shape [codes]."""
    kinds = torch.arange(CODEBOOK_SIZE)
    kinds[SECTION : SECTION + len(Section)] = SECTION
    for first, end in (OPENING[place] for place in PLAYER_PLACES):
        kinds[first + NO_PLAYER + 1 : end] = first + NO_PLAYER + 1
    return kinds


def _section_kinds() -> Tensor:
    """For each code, the kind of the section that it declares; see `groove.py`. int64 of shape [codes]."""
    kinds = torch.full((CODEBOOK_SIZE,), BARE)
    kinds[SECTION : SECTION + len(Section)] = KINDS
    return kinds


def _bar_steps() -> Tensor:
    """For each code, the steps of a bar in the meter it declares, or 16 if it declares none: int64 of shape [codes]."""
    return torch.tensor([steps_of(code) or Header().steps for code in range(CODEBOOK_SIZE)])


def _names() -> Tensor:
    """Which codes name a player: bool of shape [codes]."""
    names = torch.zeros(CODEBOOK_SIZE, dtype=torch.bool)
    for first, end in (OPENING[place] for place in PLAYER_PLACES):
        names[first + NO_PLAYER + 1 : end] = True
    return names
