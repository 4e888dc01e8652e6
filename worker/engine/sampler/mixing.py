"""The mix: all streams in a room and a hall, feedback delay networks (Jot and Chaigne 1991) of eight lines."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.width import with_sides

Floats = NDArray[np.float32]

# Lengths in samples without common divisors, 28 to 64 ms.
DELAYS = (887, 1049, 1201, 1361, 1511, 1693, 1873, 2053)
LONGEST = max(DELAYS) + 1
# Decay times (60 dB) of low frequencies in seconds, and the one-pole damping of high ones on each pass.
ROOM, HALL = 0.7, 1.8
DAMPING = np.float32(0.22)
# Makes the reverb about as loud as its input.
LEVEL = np.float32(0.6)

PAIR = np.array([[1, 1], [1, -1]])
# A Hadamard matrix: feeds every line into all lines with equal power.
MATRIX = (np.kron(PAIR, np.kron(PAIR, PAIR)) / np.sqrt(8)).astype(np.float32)
# Left feeds the even lines, right the odd ones; the outputs have alternating signs.
INPUT = np.tile(np.eye(2, dtype=np.float32), (4, 1)) * 0.5
OUTPUT = (INPUT * np.repeat([1, -1, 1, -1], 2)[:, None]).T.astype(np.float32) * LEVEL


class Reverb:
    """A reverb of one piece."""

    def __init__(self, decay: float) -> None:
        """Begin a piece; `decay` is in seconds."""
        self._decays = (10 ** (-3 * np.array(DELAYS) / (decay * SAMPLE_RATE)))[:, None].astype(np.float32)
        self._lines = np.zeros((len(DELAYS), LONGEST), np.float32)

    def push(self, sound: Floats) -> Floats:
        """The wet signal for float32 of shape [2, samples]."""
        pieces = [self._block(sound[:, at : at + min(DELAYS)]) for at in range(0, sound.shape[1], min(DELAYS))]
        return np.concatenate(pieces, axis=1) if pieces else sound

    def _block(self, sound: Floats) -> Floats:
        """Process a block no longer than the shortest line, within which the input cannot feed back."""
        count = sound.shape[1]
        begins = [LONGEST - delay for delay in DELAYS]
        late = np.stack([line[at - 1 : at + count] for line, at in zip(self._lines, begins, strict=True)])
        heard = self._decays * (late[:, 1:] + DAMPING * (late[:, :-1] - late[:, 1:]))
        self._lines = np.concatenate((self._lines[:, count:], INPUT @ sound + MATRIX @ heard), axis=1)
        return np.asarray(OUTPUT @ heard)


class Rooms:
    """The room and the hall of one piece."""

    def __init__(self) -> None:
        self._reverbs = (Reverb(ROOM), Reverb(HALL))

    def push(self, sounds: Iterable[Floats]) -> Floats:
        """The wet signal of what is sent to the room and to the hall, each float32 of shape [2, samples]."""
        room, hall = (reverb.push(sound) for reverb, sound in zip(self._reverbs, sounds, strict=True))
        return room + hall


def mix(streams: Floats, sends: Floats, rooms: Rooms, sides: float) -> Floats:
    """Sum the dry streams and the reverb.

    Args:
        streams: float32 of shape [7, 2, samples], dry.
        sends: see `Band.sends`.
        rooms: gets each stream with its sends.
        sides: see `Band.sides`.

    Returns:
        float32 of shape [2, samples].
    """
    return with_sides(streams.sum(axis=0) + rooms.push(np.tensordot(sends, streams, 1)), sides)
