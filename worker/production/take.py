"""What an engine made for one job, before production."""

from typing import NamedTuple

from shared.music import Instrument, Measured, Music
from worker.engine.interface import Samples


class StemAudio(NamedTuple):
    """One stem: as long as the audio, in its sample rate."""

    name: str
    samples: Samples
    instrument: Instrument | None


class Take(NamedTuple):
    """The audio of a job, not mastered.

    Attributes:
        audio: float32 of shape [frames, channels].
        sample_rate: in hertz.
        stems: sum to `audio`; only of models that write scores, if requested.
        midi: the score, if requested.
        music: what the engine or the request states.
        measured: what was measured so far.
        has_score: whether the model writes scores, so that its audio is a raw mix and begins on the first beat.
        is_whole: False if the client stopped the job early.
        warnings: sentences for the client.
        seed: that made it, if it is not the recipe's.
        checkpoint: identifies the model's weights, if the engine knows.
        kept: frames of the parent's file, in its sample rate, which a lossless file gets without any change.
    """

    audio: Samples
    sample_rate: int
    stems: tuple[StemAudio, ...] = ()
    midi: bytes | None = None
    music: Music = Music()
    measured: Measured = Measured()
    has_score: bool = False
    is_whole: bool = True
    warnings: tuple[str, ...] = ()
    seed: int | None = None
    checkpoint: str | None = None
    kept: tuple[range, ...] = ()
