"""All streams together, in one room."""

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.band import PLAYED
from worker.engine.sampler.patches import SENDS
from worker.engine.sampler.room import Room

Floats = NDArray[np.float32]

SEND_GAINS = np.array([SENDS[stream] for stream in PLAYED], np.float32)


def mix(streams: Floats, room: Room) -> Floats:
    """Add up what is dry and what the room answers.

    Args:
        streams: float32 of shape [7, 2, samples], dry.
        room: hears each as much as `SENDS` says.

    Returns:
        float32 of shape [2, samples].
    """
    return np.asarray(streams.sum(axis=0) + room.push(np.tensordot(SEND_GAINS, streams, 1)))
