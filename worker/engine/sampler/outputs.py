"""A score's additional outputs: a MIDI file and stems, which cover exactly the audio."""

from collections.abc import Callable, Collection, Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from shared.files import OutputKind
from worker.engine.interface import Midi, Stem
from worker.engine.sampler.band import PLAYED, RING_OUT, Band
from worker.engine.sampler.bank import Bank, default_bank
from worker.engine.sampler.clock import Clock
from worker.engine.sampler.codes import Codes
from worker.engine.sampler.conductor import Conductor
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.midi import midi
from worker.engine.sampler.mixing import SEND_GAINS, Reverb

Floats = NDArray[np.float32]


def stems(
    codes: Codes,
    bank: Bank | None = None,
    on_step: Callable[[], None] = lambda: None,
    tempo: Fraction | None = None,
) -> dict[str, Floats]:
    """Render every stream alone. The stems sum to the mix, because the reverb is linear.

    Args:
        codes: integers of shape [8, steps]; invalid codes count as "no event".
        bank: the bank of samples; None is the one in this package.
        on_step: called at every step; exceptions it raises abort the work.
        tempo: see `Clock`.

    Returns:
        float32 of shape [2, samples] by the stream's name in lower case, silent streams included, with 2 s to ring out.
    """
    reverbs = [Reverb() for _ in PLAYED]
    parts: list[list[Floats]] = [[] for _ in PLAYED]
    for dry in _dry(codes, Band(default_bank() if bank is None else bank, tempo)):
        on_step()
        for sound, send, reverb, part in zip(dry, SEND_GAINS, reverbs, parts, strict=True):
            part.append(sound + reverb.push(send * sound))
    # Concatenate one at a time, because two minutes of all stems are 200 MB.
    return {stream.name.lower(): np.concatenate(parts.pop(0), axis=1) for stream in PLAYED}


def _dry(codes: Codes, band: Band) -> Iterator[Floats]:
    for column in codes.T:
        yield band.play(column)
    band.stop()
    yield band.ring(RING_OUT)


def make_outputs(
    codes: Codes,
    wanted: Collection[OutputKind],
    samples: int,
    *,
    on_step: Callable[[], None],
    tempo: Fraction | None = None,
) -> Iterator[Midi | Stem]:
    """Yield each output as soon as it is ready, without silent stems.

    Args:
        codes: the score, integers of shape [8, steps]; steps after the end of the audio are ignored.
        wanted: the outputs to make.
        samples: length of the audio.
        on_step: called at every step; exceptions it raises abort the work.
        tempo: see `Clock`.
    """
    codes = cut(codes, samples, tempo)
    if "midi" in wanted:
        yield Midi(midi(codes, tempo))
    if "stems" in wanted:
        found = stems(codes, on_step=on_step, tempo=tempo)
        for name in list(found):
            sound = _fitted(found.pop(name), samples)
            if sound.any():
                yield Stem(name, sound.T)


def cut(codes: Codes, samples: int, tempo: Fraction | None = None) -> Codes:
    """The codes of the steps that begin within the first `samples` of the audio."""
    conductor, clock = Conductor(), Clock(tempo)
    for step, code in enumerate(codes[Stream.CONDUCTOR]):
        if clock.position >= samples:
            return codes[:, :step]
        conductor.read(int(code))
        if not conductor.counts_in:
            clock.advance(conductor.header)
    return codes


def _fitted(sound: Floats, samples: int) -> Floats:
    """Pad with silence or cut to float32 of shape [2, samples]."""
    missing = max(samples - sound.shape[1], 0)
    return np.pad(sound, ((0, 0), (0, missing)))[:, :samples]
