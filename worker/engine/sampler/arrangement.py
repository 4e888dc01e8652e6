"""A score of notes as it was arranged for a job: what becomes of a client's score before it is played."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.edits import Composed
from shared.music import Key
from shared.note_score import NoteScore
from shared.played_score import PartId
from shared.prompt.reading import Reading


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A score that is played as a whole.

    Attributes:
        score: its notes.
        sounds: the instruments of parts whose program means another one.
        warnings: sentences about what could not be kept.
        reading: of the prompt that it was arranged by.
        key: the key of what was composed.
        composed: how it was composed.
    """

    score: NoteScore
    sounds: Mapping[PartId, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    reading: Reading | None = None
    key: Key | None = None
    composed: Composed | None = None
