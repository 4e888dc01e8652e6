"""Drafts a child: which codes it keeps of its parent's score, and which the model composes.

The conductor's stream keeps tempo, meter, key and players, so a child never leaves its parent's grid. Only bars that
are added may have other sections.
"""

import random
from dataclasses import dataclass

import numpy as np

from shared.edits import Edit
from worker.engine.sampler.clock import SAMPLE_RATE, step_length
from worker.engine.sampler.codes import NOTHING, STOP, Codes
from worker.engine.sampler.conductor import SECTION_PLACE, Players
from worker.engine.sampler.held_codes import COMPOSED
from worker.engine.sampler.instruments import HIT_STREAMS, Stream
from worker.engine.sampler.proofreader import Proofreader
from worker.engine.sampler.stored_score import OldScore

# Bars after a composed part whose likelihood chooses among the candidates.
FOLLOWING = 4
CANDIDATES = 4


@dataclass(frozen=True, slots=True)
class Draft:
    """A child before the model has composed it. Columns count from the count-in's first code.

    Attributes:
        held: the child's codes of shape [8, columns]; COMPOSED where the model composes.
        part: the columns of the composed part; None if it is scattered.
        bar: steps of a bar.
        first_step: see `Clock`.
    """

    held: Codes
    part: range | None
    bar: int
    first_step: int

    @property
    def counted(self) -> range:
        """The columns that follow the composed part and rate the candidates; empty if nothing follows."""
        end = self.held.shape[1]
        if self.part is None:
            return range(end, end)
        return range(self.part.stop, min(self.part.stop + FOLLOWING * self.bar, end))

    @property
    def frames(self) -> int:
        """Columns that the model has to go through: what follows is known, and is only needed for the rating."""
        composed = np.flatnonzero((self.held == COMPOSED).any(0))
        return max(int(composed[-1]) + 1, self.counted.stop if self.counted else 0) if composed.size else 0

    @property
    def candidates(self) -> int:
        """How many candidates to compose."""
        if not self.frames:
            return 0
        return CANDIDATES if self.counted else 1

    def silence(self, stream: Stream) -> None:
        """Let a stream pause in the composed part."""
        if self.part is not None:
            self.held[stream, self.part.start : self.part.stop] = NOTHING
            self.held[stream, self.part.start] = NOTHING if stream in HIT_STREAMS else STOP

    def complete(self, composed: Codes) -> Codes:
        """The child's codes, with what the model composed: its first `frames` columns.

        A composed note that would sound on for too long after its part ends with it, so that no held code changes.
        """
        codes = self.held.copy()
        codes[:, : self.frames] = np.where(self.held[:, : self.frames] == COMPOSED, composed, codes[:, : self.frames])
        held = self.held != COMPOSED
        for stream, column in np.argwhere(held & (Proofreader().correct(codes) != codes)):
            before = np.flatnonzero(~held[stream, :column])
            if before.size:
                codes[stream, before[-1]] = STOP
        return Proofreader().correct(codes)


def make_draft(edit: Edit, old: OldScore, samples: int, seed: int) -> Draft:
    """Draft a child.

    Args:
        edit: what to do.
        old: the parent's score.
        samples: length of the child's audio, without the tail of a loop.
        seed: draws what `vary` composes.

    Raises:
        ValueError: if the parent has no such bars or streams, or is longer than the child.
    """
    # The audio of a take that was stopped early is known to the nearest sample of its file.
    if old.length > old.columns(samples + SAMPLE_RATE // 100) or old.stored.samples > samples + SAMPLE_RATE // 100:
        raise ValueError("The parent's score is longer than the child.")
    match edit.kind:
        case "replace":
            return _replace(edit, old)
        case "extend" if edit.at == "start":
            return _extend_start(old, samples)
        case "extend":
            return _extend_end(old, samples)
        case "vary":
            return _vary(edit, old, seed)
        case "play":
            return Draft(old.codes, None, old.bar_steps, old.stored.first_step)


def _replace(edit: Edit, old: OldScore) -> Draft:
    bar = old.bar_steps
    first, end = bar * (edit.from_bar or 1), min(bar * (1 + (edit.to_bar or 1)), old.length)
    streams = _streams(edit, old)
    if first >= end or not streams:
        raise ValueError("The parent's score has no such bars, or nothing plays in these streams.")
    held = old.codes.copy()
    _compose(held, old, streams, range(first, end), old.length)
    return Draft(held, range(first, end), bar, old.stored.first_step)


def _extend_end(old: OldScore, samples: int) -> Draft:
    columns = old.columns(samples)
    if columns <= old.length:
        raise ValueError("The extended take is no longer than its parent.")
    held = np.full((len(Stream), columns), NOTHING, np.int64)
    held[:, : old.length] = old.codes
    held[list(old.playing), old.length :] = COMPOSED
    _add_bars(held, old, range(old.length, columns), old.players(old.length))
    return Draft(held, range(old.length, columns), old.bar_steps, old.stored.first_step)


def _extend_start(old: OldScore, samples: int) -> Draft:
    bar = old.bar_steps
    added = bar * round((samples - old.stored.samples) / (bar * step_length(old.tempo)))
    if added <= 0:
        raise ValueError("The extended take is no longer than its parent.")
    new = np.full((len(Stream), added), NOTHING, np.int64)
    held = np.concatenate([old.codes[:, :bar], new, old.codes[:, bar:]], axis=1)
    part = range(bar, bar + added)
    _add_bars(held, old, part, old.players(bar))
    held[list(old.playing), part.start : part.stop] = COMPOSED
    for stream in old.playing:
        _release(held, old, stream, part, bar)
    return Draft(held, part, bar, old.stored.first_step - added)


def _vary(edit: Edit, old: OldScore, seed: int) -> Draft:
    bar, held = old.bar_steps, old.codes.copy()
    cells = [(start, stream) for start in range(bar, old.length, bar) for stream in _streams(edit, old)]
    count = round((edit.strength or 0.0) * len(cells))
    for start, stream in random.Random(seed).sample(cells, count):  # noqa: S311
        held[stream, start : start + bar] = COMPOSED
    for start, stream in cells:
        part = range(start, min(start + bar, old.length))
        ends = part.stop < old.length and held[stream, part.stop] != COMPOSED
        if ends and held[stream, part.start] == COMPOSED:
            _release(held, old, stream, part, part.stop)
    return Draft(held, None, bar, old.stored.first_step)


def _streams(edit: Edit, old: OldScore) -> list[Stream]:
    """The streams to compose, of those that play."""
    return [stream for stream in old.playing if not edit.streams or stream.name.lower() in edit.streams]


def _compose(held: Codes, old: OldScore, streams: list[Stream], part: range, end: int) -> None:
    held[streams, part.start : part.stop] = COMPOSED
    for stream in streams if part.stop < end else []:
        _release(held, old, stream, part, part.stop)


def _release(held: Codes, old: OldScore, stream: Stream, part: range, column: int) -> None:
    """Let the composed part end with a stop where the parent is silent after it, at a column of the parent."""
    if stream not in HIT_STREAMS and not old.sounds_at(stream, column):
        held[stream, part.stop - 1] = STOP


def _add_bars(held: Codes, old: OldScore, part: range, players: Players) -> None:
    """Declare added bars like the others, except for their sections."""
    bar = old.bar(players)
    for column in part:
        place = column % len(bar)
        held[Stream.CONDUCTOR, column] = COMPOSED if place == SECTION_PLACE else bar[place]
