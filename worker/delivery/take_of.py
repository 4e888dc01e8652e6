"""Puts the chunks that the engine sent together to a take."""

import numpy as np

from shared.music import Music
from worker.engine.host.engine_job import EngineJob
from worker.engine.interface import ModelInfo, Samples
from worker.engine.protocol import StemFile
from worker.production.take import StemAudio, Take


def take_of(job: EngineJob, info: ModelInfo, *, is_whole: bool) -> Take:
    """The take of a job. This copies the audio: call it in a thread.

    Args:
        job: with at least one chunk. Outputs are left out unless all of them have arrived.
        info: of the engine.
        is_whole: False if the client stopped the job early.
    """
    stems, midi = (job.stems, job.midi) if job.has_outputs else ([], None)
    return Take(
        audio=_joined(job.chunks),
        sample_rate=info.sample_rate,
        stems=tuple(StemAudio(stem.name, _mapped(stem), stem.instrument) for stem in stems),
        midi=midi,
        music=job.music or Music(),
        has_score=bool(info.outputs),
        is_whole=is_whole,
        warnings=tuple(job.warnings),
        checkpoint=info.checkpoint,
    )


def _joined(chunks: list[Samples]) -> Samples:
    """The chunks as one array, which replaces them, so that the audio is in memory only once."""
    if len(chunks) > 1:
        chunks[:] = [np.concatenate(chunks)]
    return chunks[0]


def _mapped(stem: StemFile) -> Samples:
    """A stem as memory that the system reads from its file and may drop."""
    return np.memmap(stem.path, np.dtype("<f4"), mode="r").reshape(-1, stem.channels)
