"""Adds to a score of notes what the model composed to it."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.edits import Composed
from shared.note_score import NotePart, TempoMap, TimedNote
from shared.played_score import PartId, part_id
from worker.engine.sampler.addition import Addition
from worker.engine.sampler.arrangement import Arrangement
from worker.engine.sampler.codes import decode
from worker.engine.sampler.composed_notes import Placing, joined, level_of, notes_of
from worker.engine.sampler.general_midi import DRUM_PROGRAMS, PROGRAMS
from worker.engine.sampler.held_codes import COMPOSED
from worker.engine.sampler.instruments import CHORD_STREAMS, HIT_STREAMS, PLAYERS, Stream
from worker.engine.sampler.midi_file import DRUM_CHANNEL
from worker.engine.sampler.note_midi import CHANNELS
from worker.engine.sampler.parts import TIMPANI
from worker.engine.sampler.proofreader import Proofreader

Candidate = tuple[NDArray[np.int64], float]


def add_parts(addition: Addition, candidates: Sequence[Candidate]) -> Arrangement:
    """The score with the candidate with which the model finds the given notes most likely."""
    chosen = int(np.argmax([likelihood for _, likelihood in candidates]))
    held = addition.held
    codes = Proofreader().correct(np.where(held == COMPOSED, candidates[chosen][0], held))
    played = decode(codes)
    parts, sounds = list(addition.score.parts), dict[PartId, str]()
    added = False
    for stream in PLAYERS:
        given = addition.heard.parts.get(stream)
        if given is not None and not addition.follows:
            continue
        placing = Placing() if given is None else _placing(addition, stream)
        for player, notes in notes_of(played, stream, addition.grid, addition.end, placing).items():
            new = [note for note in notes if note.start >= addition.begin]
            if not new:
                continue
            added = True
            if given is not None:
                parts[given] = msgspec.structs.replace(parts[given], notes=joined(parts[given].notes, new))
                continue
            part = _part(stream, player, new, parts)
            parts.append(part)
            if not part.is_drums:
                sounds[part_id(len(parts) - 1)] = player
    nothing = () if added else ("The model composed no note. Another seed may give some.",)
    score = msgspec.structs.replace(addition.score, parts=tuple(parts), end=max(addition.score.end, addition.end))
    return Arrangement(
        score=score,
        sounds=sounds,
        warnings=(*addition.warnings, *nothing),
        reading=addition.reading,
        key=addition.key,
        composed=_composed(addition, candidates, chosen),
    )


def _placing(addition: Addition, stream: Stream) -> Placing:
    """Where a given part goes on: in its own octaves, and with chords around its own keys."""
    heard = addition.heard
    return Placing(-heard.octaves[stream], heard.centres[stream] if stream in CHORD_STREAMS else None)


def _part(stream: Stream, player: str, notes: Sequence[TimedNote], others: Sequence[NotePart]) -> NotePart:
    """A part of its own, on a channel of its own while there is one."""
    is_drums = stream in HIT_STREAMS and player != TIMPANI
    used = {part.channel for part in others}
    free = (each + 1 for each in range(CHANNELS) if each != DRUM_CHANNEL and each + 1 not in used)
    program = DRUM_PROGRAMS.get(player, 0) if is_drums else PROGRAMS[player]
    return NotePart(
        name="" if is_drums else player,
        channel=DRUM_CHANNEL + 1 if is_drums else next(free, 1),
        program=program,
        is_drums=is_drums,
        notes=joined(notes, ()),
        controls=level_of(stream, player),
    )


def _composed(addition: Addition, candidates: Sequence[Candidate], chosen: int) -> Composed:
    times = TempoMap(addition.score.tempos, addition.score.division)
    likelihoods = tuple(round(likelihood, 4) for _, likelihood in candidates)
    return Composed(
        candidates=len(candidates),
        chosen=chosen + 1,
        likelihoods=likelihoods if len(likelihoods) > 1 else None,
        from_seconds=round(times.seconds(addition.begin), 6) if addition.follows else None,
        to_seconds=round(times.seconds(addition.end), 6) if addition.follows else None,
    )
