"""What the drums must and must not strike: four on the floor, half-time, double-time, "no kick".

A beat that plays alone gets a few more hits, drawn by the seed: a model that has only a beat to write is sure of it.

In other respects the model writes the beat. A fill is free but for what is refused, and in sections without the whole
band the drums may pause.
"""

import random
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

import torch
from torch import Tensor

from shared.prompt.genres import genre
from shared.prompt.reading import Reading
from shared.prompt.summary import FOUR_ON_THE_FLOOR
from worker.engine.sampler.codes import CODEBOOK_SIZE, FIRST
from worker.engine.sampler.instruments import PIECES, Stream
from worker.engine.sampler.score import LONGEST_BAR, ROLLED, STEPS_PER_BEAT, Section

# The kinds of sections: with the whole band, with room for pauses, and fills.
WHOLE, BARE, FREE = range(3)
_WHOLE = (Section.VERSE, Section.CHORUS, Section.BRIDGE)
KINDS = torch.tensor([FREE if section is Section.FILL else WHOLE if section in _WHOLE else BARE for section in Section])
_COMMON_TIME = 16
_BACKBEAT = ("snare", "clap_or_rim")
# Places of a bar of 4/4 with the backbeat.
_FEELS = {"half-time": (8,), "double-time": (2, 6, 10, 14), "dembow": (3, 6, 11, 14)}
# A genre is half-time at its usual tempos, and not where these are counted as half of them: trap at 70 BPM.
_FULL_TEMPO = 110
# A broken beat has no kick on these.
_UNBROKEN = (4, 12)
# Where a beat that plays alone gets more hits, and how many. The other pieces are for prompts that refuse the first.
_ROOM = {"kick": (2, 3, 6, 7, 10, 11, 13, 14, 15), "snare": (7, 9, 15), "open_hat": (2, 6, 10, 14)}
_OTHER_ROOM = dict.fromkeys(("clap_or_rim", "ride"), _ROOM["kick"])
_MORE_HITS = (2, 3)
# The pieces that a prompt refuses by these names.
_REFUSED = {
    "kick": ("kick",),
    "snare": ("snare",),
    "claps": ("clap_or_rim",),
    "hi-hats": ("closed_hat", "open_hat"),
    "cymbals": ("ride", "crash"),
}


@dataclass(frozen=True, slots=True)
class Groove:
    """The rules of a beat.

    Attributes:
        refused: pieces that are never struck.
        only_at: pieces with the places of the bar, in sixteenths, at which alone they are struck.
        struck: places with the pieces of which at least one is struck.
    """

    refused: frozenset[str] = frozenset()
    only_at: Mapping[str, Collection[int]] = field(default_factory=dict)
    struck: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def make_groove(reading: Reading, steps: int, tempo: Fraction) -> Groove:
    """The rules that a prompt states, or that its genre lives on, for bars of so many sixteenths.

    Args:
        reading: of the prompt.
        steps: sixteenths a bar.
        tempo: in quarter notes a minute.
    """
    refused = frozenset(piece for name in reading.refused for piece in _REFUSED.get(name, ()))
    only_at: dict[str, Collection[int]] = {}
    struck: dict[int, tuple[str, ...]] = {}
    usual = _usual_feel(reading, tempo)
    is_broken = FOUR_ON_THE_FLOOR in reading.refused or (usual == "broken" and reading.feel not in _FEELS)
    is_four = reading.four_on_the_floor or (reading.feel is None and usual == FOUR_ON_THE_FLOOR and not is_broken)
    if is_four and "kick" not in refused and steps % STEPS_PER_BEAT == 0:
        struck |= dict.fromkeys(range(0, steps, STEPS_PER_BEAT), ("kick",))
    if is_broken and not is_four and steps == _COMMON_TIME:
        only_at["kick"] = [place for place in range(steps) if place not in _UNBROKEN]
    places = _FEELS.get(reading.feel or usual or "", ()) if steps == _COMMON_TIME else ()
    backbeat = tuple(piece for piece in _BACKBEAT if piece not in refused)
    if places and backbeat:
        only_at |= dict.fromkeys(backbeat, places)
        # A place that both rules claim keeps the kick.
        struck = dict.fromkeys(places, backbeat) | struck
    return Groove(refused, only_at, struck)


def vary(groove: Groove, steps: int, source: random.Random) -> Groove:
    """The rules with two or three more hits in each bar of so many sixteenths."""

    def free(room: Mapping[str, Collection[int]]) -> list[tuple[int, str]]:
        pieces = sorted(room.keys() - groove.refused - groove.only_at.keys())
        return [(at, piece) for piece in pieces for at in room[piece] if at < steps and at not in groove.struck]

    able = free(_ROOM) or free(_OTHER_ROOM)
    hits = source.sample(able, min(source.choice(_MORE_HITS), len(able)))
    return replace(groove, struck={**groove.struck, **{place: (piece,) for place, piece in hits}})


def _usual_feel(reading: Reading, tempo: Fraction) -> str | None:
    """The feel of the genre that the prompt names, unless the prompt asks for another beat."""
    if reading.genre is None or reading.four_on_the_floor:
        return None
    feel = genre(reading.genre).feel
    return None if feel == "half-time" and tempo < _FULL_TEMPO else feel


def groove_warnings(reading: Reading, groove: Groove, *, drums: bool) -> Iterator[str]:
    """A sentence if the prompt asks for a beat that the piece cannot have."""
    named = [reading.feel] if reading.feel in _FEELS else []
    named += ["four on the floor"] if reading.four_on_the_floor else []
    for name in named:
        if not drums:
            yield f"The prompt asks for {name}, but nothing plays the drums."
        elif not groove.struck:
            yield f"The prompt asks for {name}, which this model plays only in 4/4."


def forbidden_codes(groove: Groove) -> Tensor:
    """The drums' codes that the rules exclude: bool of shape [kinds of sections, places of the longest bar, codes]."""
    table = torch.zeros(1 + FREE, LONGEST_BAR, CODEBOOK_SIZE, dtype=torch.bool)
    hits = torch.arange(CODEBOOK_SIZE) >= FIRST
    for piece in groove.refused:
        table |= _strikes(piece)
    for piece, places in groove.only_at.items():
        others = [place for place in range(LONGEST_BAR) if place not in places]
        table[:FREE, others] |= _strikes(piece)
    for place, pieces in groove.struck.items():
        missing = ~torch.stack([_strikes(piece) for piece in pieces]).any(0)
        table[BARE, place] |= missing & hits
        table[WHOLE, place] |= missing
    return table


def _strikes(piece: str) -> Tensor:
    """The codes of the drums that strike a piece; without a bit, a code is a roll of the closed hi-hat."""
    names = PIECES[Stream.DRUMS]
    codes = torch.arange(CODEBOOK_SIZE)
    bits = (codes - FIRST) % (1 << len(names))
    struck = bits >> names.index(piece) & 1 == 1
    if piece in ROLLED:
        struck |= bits == 0
    return struck & (codes >= FIRST)


class GrooveLimiter:
    """Part of `ScoreGrammar`. The state has one extra slot for scratch."""

    def __init__(self, slots: int, device: torch.device) -> None:
        shape = (slots + 1, 1 + FREE, LONGEST_BAR, CODEBOOK_SIZE)
        self._forbidden = torch.zeros(shape, dtype=torch.bool, device=device)
        # Of the drums' bar, and of the conductor's, which may be the next one.
        self._kind = torch.full((slots + 1,), BARE, device=device)
        self._declared = torch.full_like(self._kind, BARE)
        self._frame = torch.zeros_like(self._kind)

    def begin(self, slot: int, forbidden: Tensor) -> None:
        """Reset a slot for a new request; see `forbidden_codes`."""
        self._forbidden[slot] = forbidden.to(self._forbidden.device)
        self._kind[slot] = self._declared[slot] = BARE
        self._frame[slot] = 0

    def restrict(self, slots: Tensor, logits: Tensor, steps: Tensor) -> None:
        """Exclude the codes at the drums' place of the bar; see `Grammar.restrict`."""
        place = self._frame[slots] % steps
        self._kind[slots] = kind = torch.where(place == 0, self._declared[slots], self._kind[slots])
        logits[:, Stream.DRUMS].masked_fill_(self._forbidden[slots, kind, place], float("-inf"))

    def revise(self, slots: Tensor, kept: Tensor, kind: Tensor) -> None:
        """Advance the drums by a step.

        Args:
            slots: int64 of shape [n].
            kept: whether the drums' code counts, bool of shape [n].
            kind: of the section that the conductor declares in this step; -1 if it declares none. int64 of shape [n].
        """
        self._frame[slots] += kept
        self._declared[slots] = torch.where(kind < 0, self._declared[slots], kind)
