"""From what an engine made to files in storage, with what the job's record says of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, TypeVar

from shared.files import Audio, Output
from shared.messages import Timings
from shared.storage import Storage
from worker.delivery.encoded_files import AudioFile, EncodedFiles, OutputFile, make_audio_file, make_output_files
from worker.delivery.spool import Spool
from worker.engine.host.generation import Generation, GenerationFailedError
from worker.lease import Lease, LeaseLostError
from worker.retry import patiently

T = TypeVar("T")


class Result(NamedTuple):
    """What an attempt stored."""

    audio: Audio
    outputs: tuple[Output, ...]
    timings: Timings


class Uploader:
    """Encodes and uploads what the job of one lease made. `sample_rate` is the engine's, in hertz."""

    def __init__(self, lease: Lease, storage: Storage, spool: Spool, sample_rate: int) -> None:
        self._lease = lease
        self._storage = storage
        self._spool = spool
        self._sample_rate = sample_rate
        self._kept = False

    async def find(self) -> EncodedFiles | None:
        """What an earlier attempt made on this machine and could not store."""
        files = await self._spool.find(self._lease.record.job_id, self._lease.record.recipe)
        self._kept = files is not None
        return files

    async def encode(self, generation: Generation) -> EncodedFiles:
        """Make the files of what there is.

        Raises:
            GenerationFailedError: if what was made can be no file.
        """
        generated = time.perf_counter()
        audio, outputs = await self._encode(generation)
        generating = round(generated - (generation.began or generated), 3)
        encoding = round(time.perf_counter() - generated, 3)
        return EncodedFiles(audio, outputs, generating, encoding, tuple(generation.warnings))

    async def store(self, files: EncodedFiles, patience: float, *, whole: bool) -> Result:
        """Store the audio and the outputs.

        Args:
            files: to be stored.
            patience: seconds that each file waits for S3.
            whole: whether this is all that the job was to make: then it is kept on disk while S3 is away.

        Raises:
            LeaseLostError: if the job is no longer ours.
            UnavailableError: if S3 is away for too long.
        """

        async def waiting() -> None:
            if whole and not self._kept:
                self._kept = True
                await self._spool.keep(self._lease.record.job_id, self._lease.record.recipe, files)
            await self._lease.progress(self._lease.record.progress, "The audio waits for S3")

        began = time.perf_counter()
        audio = await self._upload_audio(files.audio, patience, waiting)
        outputs = [
            await self._upload(partial(self._storage.put_output, *file), patience, waiting) for file in files.outputs
        ]
        uploading = round(time.perf_counter() - began, 3)
        timings = Timings(generating=files.generating, encoding=files.encoding, uploading=uploading)
        return Result(audio, tuple(outputs), timings)

    async def forget(self) -> None:
        """The job has ended: nothing of it is needed on disk."""
        if self._kept:
            await self._spool.remove(self._lease.record.job_id)

    async def _encode(self, generation: Generation) -> tuple[AudioFile, list[OutputFile]]:
        job_id, recipe, chunks = self._lease.record.job_id, self._lease.record.recipe, list(generation.chunks)
        try:
            audio = await asyncio.to_thread(make_audio_file, chunks, self._sample_rate, recipe)
            if not generation.has_outputs:
                return audio, []
            return audio, await asyncio.to_thread(make_output_files, job_id, generation, self._sample_rate, recipe)
        except ValueError as error:
            raise GenerationFailedError("invalid_audio", str(error)) from error

    async def _upload_audio(self, file: AudioFile, patience: float, waiting: Callable[[], Awaitable[None]]) -> Audio:
        job_id = self._lease.record.job_id
        upload = await self._upload(
            lambda: self._storage.put_audio(job_id, file.data, file.metadata), patience, waiting
        )
        return file.stored_as(upload)

    async def _upload(
        self, put: Callable[[], Awaitable[T]], patience: float, waiting: Callable[[], Awaitable[None]]
    ) -> T:
        # Looked at just before, so that an attempt that was frozen does not overwrite its successor's files.
        await self._lease.check()
        if self._lease.lost.is_set():
            raise LeaseLostError(self._lease.record.job_id)
        return await patiently(put, patience, waiting)
