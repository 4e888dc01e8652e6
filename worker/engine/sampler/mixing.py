"""The mix: all streams with a shared reverb, a feedback delay network (Jot and Chaigne 1991) of eight lines."""

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.band import PLAYED
from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.patches import SENDS

Floats = NDArray[np.float32]

# Lengths in samples without common divisors, 28 to 64 ms.
DELAYS = (887, 1049, 1201, 1361, 1511, 1693, 1873, 2053)
LONGEST = max(DELAYS) + 1
# Decay time (60 dB) of low frequencies in seconds, and the one-pole damping of high ones on each pass.
DECAY = 1.3
DAMPING = np.float32(0.22)
# Makes the reverb about as loud as its input.
LEVEL = np.float32(0.6)

PAIR = np.array([[1, 1], [1, -1]])
# A Hadamard matrix: feeds every line into all lines with equal power.
MATRIX = (np.kron(PAIR, np.kron(PAIR, PAIR)) / np.sqrt(8)).astype(np.float32)
# Left feeds the even lines, right the odd ones; the outputs have alternating signs.
INPUT = np.tile(np.eye(2, dtype=np.float32), (4, 1)) * 0.5
OUTPUT = (INPUT * np.repeat([1, -1, 1, -1], 2)[:, None]).T.astype(np.float32) * LEVEL
DECAYS = (10 ** (-3 * np.array(DELAYS) / (DECAY * SAMPLE_RATE)))[:, None].astype(np.float32)


class Reverb:
    """The reverb of one piece."""

    def __init__(self) -> None:
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
        heard = DECAYS * (late[:, 1:] + DAMPING * (late[:, :-1] - late[:, 1:]))
        self._lines = np.concatenate((self._lines[:, count:], INPUT @ sound + MATRIX @ heard), axis=1)
        return np.asarray(OUTPUT @ heard)


SEND_GAINS = np.array([SENDS[stream] for stream in PLAYED], np.float32)


def mix(streams: Floats, reverb: Reverb) -> Floats:
    """Sum the dry streams and the reverb.

    Args:
        streams: float32 of shape [7, 2, samples], dry.
        reverb: gets each stream with its gain in `SENDS`.

    Returns:
        float32 of shape [2, samples].
    """
    return np.asarray(streams.sum(axis=0) + reverb.push(np.tensordot(SEND_GAINS, streams, 1)))
