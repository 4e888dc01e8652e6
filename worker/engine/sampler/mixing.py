"""All streams together, with one reverb."""

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.band import PLAYED
from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.patches import SENDS

Floats = NDArray[np.float32]

# Lengths without common divisors, 28 to 64 ms.
DELAYS = (887, 1049, 1201, 1361, 1511, 1693, 1873, 2053)
LONGEST = max(DELAYS) + 1
# Seconds until the low tones have fallen by 60 dB; the share of the sample before dampens the high ones each time.
DECAY = 1.3
DAMPING = np.float32(0.22)
# What comes back is as loud as what goes in, about.
LEVEL = np.float32(0.6)

PAIR = np.array([[1, 1], [1, -1]])
# Hadamard's matrix: all lines into all others, with the same power.
MATRIX = (np.kron(PAIR, np.kron(PAIR, PAIR)) / np.sqrt(8)).astype(np.float32)
# Left into the even lines, right into the odd ones, and back again with changing signs.
INPUT = np.tile(np.eye(2, dtype=np.float32), (4, 1)) * 0.5
OUTPUT = (INPUT * np.repeat([1, -1, 1, -1], 2)[:, None]).T.astype(np.float32) * LEVEL
DECAYS = (10 ** (-3 * np.array(DELAYS) / (DECAY * SAMPLE_RATE)))[:, None].astype(np.float32)


class Reverb:
    """The echo of one piece."""

    def __init__(self) -> None:
        self._lines = np.zeros((len(DELAYS), LONGEST), np.float32)

    def push(self, sound: Floats) -> Floats:
        """What comes back while a sound goes in.

        Args:
            sound: float32 of shape [2, samples].
        """
        pieces = [self._block(sound[:, at : at + min(DELAYS)]) for at in range(0, sound.shape[1], min(DELAYS))]
        return np.concatenate(pieces, axis=1) if pieces else sound

    def _block(self, sound: Floats) -> Floats:
        """No longer than the shortest line: nothing that goes in comes back within it."""
        count = sound.shape[1]
        begins = [LONGEST - delay for delay in DELAYS]
        late = np.stack([line[at - 1 : at + count] for line, at in zip(self._lines, begins, strict=True)])
        heard = DECAYS * (late[:, 1:] + DAMPING * (late[:, :-1] - late[:, 1:]))
        self._lines = np.concatenate((self._lines[:, count:], INPUT @ sound + MATRIX @ heard), axis=1)
        return np.asarray(OUTPUT @ heard)


SEND_GAINS = np.array([SENDS[stream] for stream in PLAYED], np.float32)


def mix(streams: Floats, reverb: Reverb) -> Floats:
    """Add up what is dry and what the reverb answers.

    Args:
        streams: float32 of shape [7, 2, samples], dry.
        reverb: hears each as much as `SENDS` says.

    Returns:
        float32 of shape [2, samples].
    """
    return np.asarray(streams.sum(axis=0) + reverb.push(np.tensordot(SEND_GAINS, streams, 1)))
