"""Stored scores of pieces that were written by hand."""

from fractions import Fraction

import numpy as np

from shared.edits import Edit, StoredScore
from tests.unit.worker.engine.sampler.songs import song
from worker.engine.sampler.clock import step_length
from worker.engine.sampler.codes import Codes, encode
from worker.engine.sampler.score import Header, Score, Section
from worker.engine.sampler.stored_score import store_score

PARENT = "gen_000000000001"
HEADER = Header(bpm=120)


def without_end(score: Score) -> Score:
    """The piece without its last bar, which declares the end: models write none."""
    steps = score.steps - score.header.steps
    assert score.sections[-1] is Section.END
    events = {stream: {at: event for at, event in row.items() if at < steps} for stream, row in score.events.items()}
    return Score(score.header, score.sections[:-1], steps, events)


def stored(bars: int = 8, header: Header = HEADER, tempo: Fraction | None = None) -> StoredScore:
    """The score of a song of so many bars."""
    codes = encode(without_end(song(header, bars=bars)))
    exact = tempo or Fraction(header.bpm)
    samples = round(bars * header.steps * step_length(exact))
    return store_score(codes, exact, samples, caption="a song")


def edit(score: StoredScore | None = None, **fields: object) -> Edit:
    """An edit of a song of eight bars."""
    return Edit(parent=PARENT, score=score or stored(), **fields)  # type: ignore[arg-type]


def changed(before: Codes, after: Codes) -> set[tuple[int, int]]:
    """The streams and columns in which codes differ."""
    return {(int(stream), int(column)) for stream, column in np.argwhere(before != after)}
