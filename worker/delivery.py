"""From what an engine made to files in storage, with what the job's record says of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

from shared.messages import Audio, Output, Timings
from shared.storage import Storage
from worker.audio_file import AudioFile, make_audio_file
from worker.engine.generation import Generation, GenerationFailedError
from worker.lease import Lease, LeaseLostError
from worker.output_files import OutputFile, make_output_files
from worker.patience import patiently

T = TypeVar("T")


class Result(NamedTuple):
    """What an attempt stored."""

    audio: Audio
    outputs: tuple[Output, ...]
    timings: Timings


class Delivery:
    """Encodes and uploads what the job of one lease made. `sample_rate` is the engine's, in hertz."""

    def __init__(self, lease: Lease, storage: Storage, sample_rate: int) -> None:
        self._lease = lease
        self._storage = storage
        self._sample_rate = sample_rate

    async def store(self, generation: Generation, patience: float) -> Result:
        """Store the audio and the outputs.

        Args:
            generation: has made some audio.
            patience: seconds that each file waits for S3.

        Raises:
            GenerationFailedError: if what was made can be no file.
            LeaseLostError: if the job is no longer ours.
            UnavailableError: if S3 is away for too long.
        """
        generated = time.perf_counter()
        audio_file, output_files = await self._encode(generation)
        encoded = time.perf_counter()
        audio = await self._upload_audio(audio_file, patience)
        outputs = [await self._upload_output(file, patience) for file in output_files]
        timings = Timings(
            generating=round(generated - (generation.began or generated), 3),
            encoding=round(encoded - generated, 3),
            uploading=round(time.perf_counter() - encoded, 3),
        )
        return Result(audio, tuple(outputs), timings)

    async def _encode(self, generation: Generation) -> tuple[AudioFile, list[OutputFile]]:
        job_id, recipe, chunks = self._lease.record.job_id, self._lease.record.recipe, list(generation.chunks)
        try:
            audio = await asyncio.to_thread(make_audio_file, chunks, self._sample_rate, recipe)
            if not generation.has_outputs:
                return audio, []
            return audio, await asyncio.to_thread(make_output_files, job_id, generation, self._sample_rate, recipe)
        except ValueError as error:
            raise GenerationFailedError("invalid_audio", str(error)) from error

    async def _upload_audio(self, file: AudioFile, patience: float) -> Audio:
        job_id = self._lease.record.job_id
        key = await self._upload(lambda: self._storage.put_audio(job_id, file.data, file.metadata), patience)
        return file.stored_as(key)

    async def _upload_output(self, file: OutputFile, patience: float) -> Output:
        await self._upload(lambda: self._storage.put_output(*file), patience)
        return file.output

    async def _upload(self, put: Callable[[], Awaitable[T]], patience: float) -> T:
        lease = self._lease
        # Looked at just before, so that an attempt that was frozen does not overwrite its successor's files.
        await lease.check()
        if lease.lost.is_set():
            raise LeaseLostError(lease.record.job_id)
        return await patiently(put, patience, lambda: lease.progress(lease.record.progress, "The audio waits for S3"))
