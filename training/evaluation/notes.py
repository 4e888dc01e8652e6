"""Lists the notes of a score with their durations."""

from collections.abc import Iterator
from dataclasses import dataclass

from worker.engine.sampler.instruments import HIT_STREAMS, Stream
from worker.engine.sampler.score import Chord, Note, Score


@dataclass(frozen=True, slots=True)
class SoundingNote:
    """One note or chord, from its step until the stream's next event or the score's end."""

    stream: Stream
    step: int
    steps: int
    event: Note | Chord


def sounding_notes(score: Score) -> Iterator[SoundingNote]:
    """All notes and chords of a score."""
    for stream, events in score.events.items():
        if stream in HIT_STREAMS:
            continue
        ordered = sorted(events.items())
        ends = [step for step, _ in ordered[1:]] + [score.steps]
        for (step, event), end in zip(ordered, ends, strict=True):
            if isinstance(event, Note | Chord):
                yield SoundingNote(stream, step, end - step, event)
