"""Gives streams of a score to other players. The conductor declares players, so every note stays as it is."""

from collections.abc import Iterator, Mapping

import numpy as np

from shared.edits import StreamName
from worker.engine.sampler.codes import Codes
from worker.engine.sampler.conductor import PLAYER
from worker.engine.sampler.general_midi import PROGRAMS
from worker.engine.sampler.gm_sounds import general_midi, kit_of
from worker.engine.sampler.instruments import PLAYERS, Stream


def revoice(codes: Codes, programs: Mapping[StreamName, int]) -> Codes:
    """The score with other players.

    Args:
        codes: of shape [8, steps], count-in included.
        programs: General MIDI programs from 0, by stream; the nearest player that the stream has plays each.
    """
    found = codes.copy()
    row = found[Stream.CONDUCTOR]
    for name, program in programs.items():
        stream = Stream[name.upper()]
        first = PLAYER + 16 * (stream - 1)
        player = 1 + PLAYERS[stream].index(nearest_player(stream, program))
        row[(row > first) & (row <= first + len(PLAYERS[stream]))] = first + player
    return found


def nearest_player(stream: Stream, program: int) -> str:
    """The player of a stream for a program: its own sound, or the one whose program is the closest."""
    if stream is Stream.DRUMS:
        return kit_of(program)
    sound = general_midi().programs[program].played_by
    if sound is not None and sound in PLAYERS[stream]:
        return sound
    return min(PLAYERS[stream], key=lambda player: abs(PROGRAMS[player] - program))


def revoicing_warnings(programs: Mapping[StreamName, int]) -> Iterator[str]:
    """A sentence for each program that another sound plays, and for a kit that changes other streams."""
    for name, program in programs.items():
        stream = Stream[name.upper()]
        player = nearest_player(stream, program)
        if stream is Stream.DRUMS:
            yield f"The {player} kit plays. Only the kick of the electronic kit lowers the other instruments."
            continue
        wanted = general_midi().programs[program]
        if wanted.instead or wanted.played_by != player:
            yield f"{wanted.name} is played by the nearest sound of the {name}: {player}."


def alone(codes: Codes, streams: frozenset[Stream]) -> Codes:
    """The score with the events of these streams only."""
    found = np.zeros_like(codes)
    kept = [Stream.CONDUCTOR, *streams]
    found[kept] = codes[kept]
    return found
