"""The score that a job works on, in its recipe: a reference to the notes, which are stored elsewhere."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.job_id import JOB_ID_PATTERN

# In the order of the score, counted from 1.
PartId = Annotated[str, Meta(pattern=r"^part [1-9][0-9]?$")]
Program = Annotated[int, Meta(ge=0, le=127)]
Checksum = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
# Play the notes as they are; give them to other instruments; compose what accompanies them; compose what follows them.
ScoreAction = Literal["play", "orchestrate", "accompany", "continue"]
# The prompt of a job whose request has none: it names the music, and says nothing about it.
SCORE_PROMPT = "MIDI score"
# The actions for which the model composes.
COMPOSING: tuple[ScoreAction, ...] = ("accompany", "continue")


class PlayedScore(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename={"action": "as"}):
    """Which score a job works on, and how. A score is known by its content: see shared/note_score.py.

    Attributes:
        sha256: of the stored score, in hex.
        action: what becomes of the score.
        parent: the job that it was taken from, if it was.
        programs: General MIDI programs from 0 that replace those of parts.
        instruments: the only parts to use; none means all.
    """

    sha256: Checksum
    action: ScoreAction = "play"
    parent: Annotated[str, Meta(pattern=JOB_ID_PATTERN)] | None = None
    programs: dict[PartId, Program] = {}
    instruments: tuple[PartId, ...] = ()


def part_id(index: int) -> str:
    """The id of a part, by its index from 0."""
    return f"part {index + 1}"
