"""What a score gives beside the audio: a MIDI file and stems, of just what the audio holds."""

from collections.abc import Callable, Collection, Iterator

import numpy as np
from numpy.typing import NDArray

from shared.files import OutputKind
from worker.engine.interface import Midi, Stem
from worker.engine.sampler.clock import Clock
from worker.engine.sampler.codes import Codes
from worker.engine.sampler.conductor import Conductor
from worker.engine.sampler.ending import Ending
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.midi import midi
from worker.engine.sampler.stems import stems

Floats = NDArray[np.float32]


def make_outputs(
    codes: Codes, wanted: Collection[OutputKind], samples: int, *, whole: bool, look: Callable[[], None]
) -> Iterator[Midi | Stem]:
    """Give each as soon as it is ready; stems that are silent are left out.

    Stems that exceed full scale are turned down, all by the same factor, so that they still add up.

    Args:
        codes: of the score, integers of shape [8, steps]; those of what is not in the audio are cut off.
        wanted: what to make.
        samples: of the audio.
        whole: whether the audio is as long as was asked for, so that it fades out; or was stopped before.
        look: called at every step; what it raises ends the work.
    """
    codes = cut(codes, samples)
    if "midi" in wanted:
        yield Midi(midi(codes))
    if "stems" in wanted:
        found = stems(codes, look=look)
        for name, sound in found.items():
            found[name] = _fitted(sound, samples, whole)
        peak = max(1.0, *(float(np.abs(sound).max()) for sound in found.values()))
        for name, sound in found.items():
            if sound.any():
                yield Stem(name, sound.T / np.float32(peak))


def cut(codes: Codes, samples: int) -> Codes:
    """The codes of the steps that begin within the first `samples` of the audio."""
    conductor, clock = Conductor(), Clock()
    for step, code in enumerate(codes[Stream.CONDUCTOR]):
        if clock.start >= samples:
            return codes[:, :step]
        conductor.read(int(code))
        if not conductor.counts_in:
            clock.advance(conductor.header)
    return codes


def _fitted(sound: Floats, samples: int, whole: bool) -> Floats:
    """Float32 of shape [2, samples], faded as the audio is, with silence after the piece's own end."""
    missing = max(samples - sound.shape[1], 0)
    sound = np.pad(sound, ((0, 0), (0, missing)))[:, :samples]
    return Ending(samples).push(sound) if whole else sound
