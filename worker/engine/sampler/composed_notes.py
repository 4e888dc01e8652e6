"""The notes of what the model composed, in the ticks of the score that it was composed to."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.note_score import VOLUME, Control, TimedNote
from worker.engine.sampler.general_midi import DRUM_KEYS
from worker.engine.sampler.instruments import CRACKLE, HIT_STREAMS, Stream
from worker.engine.sampler.midi import CHORD_VELOCITIES, VELOCITIES
from worker.engine.sampler.note_parts import BASSES, DEFAULT_VOLUME
from worker.engine.sampler.parts import TIMPANI
from worker.engine.sampler.patches import LEVELS, TIMPANI_LOWEST, patch_of
from worker.engine.sampler.score import Chord, Event, Hits, Note, Score
from worker.engine.sampler.step_grid import StepGrid
from worker.engine.sampler.voicing import voice_chord


class Placing(NamedTuple):
    """How a stream's events become notes.

    Attributes:
        octaves: what is added to the notes.
        centre: see `voice_chord`; None is that of the instrument.
    """

    octaves: int = 0
    centre: float | None = None


def notes_of(score: Score, stream: Stream, grid: StepGrid, end: int, placing: Placing) -> dict[str, list[TimedNote]]:
    """The notes of a stream by their player, none of which begins at the tick `end` or sounds beyond it."""
    found: dict[str, list[TimedNote]] = {}
    events = sorted(score.events.get(stream, {}).items())
    ticks = [*(grid.tick(step) for step, _ in events), end]
    for (_, event), tick, following in zip(events, ticks, ticks[1:], strict=False):
        if tick >= end:
            break
        last = min(following, end) if stream not in HIT_STREAMS else min(tick + round(grid.step), end)
        strikes = event.roll if isinstance(event, Hits) else 1
        for begin in (tick + round(grid.step * strike / strikes) for strike in range(strikes)):
            for player, note in _notes(event, stream, begin, last, placing, score.header.key):
                found.setdefault(player, []).append(note)
    return found


def _notes(
    event: Event, stream: Stream, tick: int, end: int, placing: Placing, tonic: int
) -> Iterator[tuple[str, TimedNote]]:
    match event:
        case Note():
            key = event.pitch + 12 * placing.octaves
            yield event.instrument, TimedNote(tick, end, min(max(key, 0), 127), VELOCITIES[event.velocity])
        case Chord():
            centre = patch_of(event.instrument, stream).centre if placing.centre is None else placing.centre
            for key in voice_chord(event.root, event.quality, centre):
                yield event.instrument, TimedNote(tick, end, key, CHORD_VELOCITIES[event.velocity])
        case Hits(kit=kit) if kit != CRACKLE:
            last = max(end, tick + 1)
            for piece in sorted(event.pieces - {TIMPANI}):
                yield kit, TimedNote(tick, last, DRUM_KEYS[piece], VELOCITIES[event.accent])
            if TIMPANI in event.pieces:
                yield TIMPANI, TimedNote(tick, last, TIMPANI_LOWEST + tonic, VELOCITIES[event.accent])


def level_of(stream: Stream, player: str) -> tuple[Control, ...]:
    """The volume at which a part of its own plays as loudly as the sampler's mix has the stream."""
    usual = Stream.BASS if player in BASSES else Stream.ARPEGGIO
    if stream in HIT_STREAMS or LEVELS[stream] == LEVELS[usual]:
        return ()
    # Decibels of a volume are 40 log10 of its share (RP-003).
    volume = round(DEFAULT_VOLUME * 10 ** ((LEVELS[stream] - LEVELS[usual]) / 40))
    return (Control(0, VOLUME, min(volume, 127)),)


def joined(first: Sequence[TimedNote], second: Sequence[TimedNote]) -> tuple[TimedNote, ...]:
    """Notes of one part, in the order of their starts."""
    return tuple(sorted((*first, *second), key=lambda note: note.start))
