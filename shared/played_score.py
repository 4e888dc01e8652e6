"""The score that a job plays, in its recipe: a reference to the notes, which are stored elsewhere."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.job_id import JOB_ID_PATTERN

# In the order of the score, counted from 1.
PartId = Annotated[str, Meta(pattern=r"^part [1-9][0-9]?$")]
Program = Annotated[int, Meta(ge=0, le=127)]
# What can be done with a score.
ScoreAction = Literal["play"]
Checksum = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class PlayedScore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which score a job plays, and how. A score is known by its content: see shared/note_score.py.

    Attributes:
        sha256: of the stored score, in hex.
        parent: the job that played it before, if it was taken from one.
        programs: General MIDI programs from 0 that replace those of parts.
        instruments: the only parts to play; none means all.
    """

    sha256: Checksum
    parent: Annotated[str, Meta(pattern=JOB_ID_PATTERN)] | None = None
    programs: dict[PartId, Program] = {}
    instruments: tuple[PartId, ...] = ()


def part_id(index: int) -> str:
    """The id of a part, by its index from 0."""
    return f"part {index + 1}"
