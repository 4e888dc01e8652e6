"""A piece's streams one by one, each with its own share of the room, as the mix is made of them."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.band import PLAYED, RING_OUT, Band
from worker.engine.sampler.bank import Bank, default_bank
from worker.engine.sampler.codes import Codes
from worker.engine.sampler.mix import SEND_GAINS
from worker.engine.sampler.room import Room

Floats = NDArray[np.float32]


def stems(codes: Codes, bank: Bank | None = None, look: Callable[[], None] = lambda: None) -> dict[str, Floats]:
    """Play every stream alone: neither levelled nor limited, so that they add up to what the mix is before that.

    Args:
        codes: integers of shape [8, steps]; any that cannot be read are nothing new.
        bank: of samples; the one that is part of this package if it is None.
        look: called at every step; what it raises ends the work.

    Returns:
        By the stream's name in lower case, float32 of shape [2, samples], with 2 s to ring out: all of them, even if
        they are silent.
    """
    rooms = [Room() for _ in PLAYED]
    parts: list[list[Floats]] = [[] for _ in PLAYED]
    for dry in _dry(codes, Band(default_bank() if bank is None else bank)):
        look()
        for sound, send, room, part in zip(dry, SEND_GAINS, rooms, parts, strict=True):
            part.append(sound + room.push(send * sound))
    # One at a time: two minutes of all of them are 200 MB.
    return {stream.name.lower(): np.concatenate(parts.pop(0), axis=1) for stream in PLAYED}


def _dry(codes: Codes, band: Band) -> Iterator[Floats]:
    for column in codes.T:
        yield band.play(column)
    band.stop()
    yield band.ring(RING_OUT)
