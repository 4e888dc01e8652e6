"""Encodes and uploads the files of a job."""

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
from worker.engine.host.engine_job import EngineJob, GenerationFailedError
from worker.lease import Lease, LeaseLostError
from worker.retry import retry_until_deadline

T = TypeVar("T")


class Result(NamedTuple):
    """What an attempt stored: fields of the job's record."""

    audio: Audio
    outputs: tuple[Output, ...]
    timings: Timings
    warnings: tuple[str, ...]


class Uploader:
    """Encodes and uploads the files of one lease's job. `sample_rate` is the engine's, in hertz."""

    def __init__(self, lease: Lease, storage: Storage, spool: Spool, sample_rate: int) -> None:
        self._lease = lease
        self._storage = storage
        self._spool = spool
        self._sample_rate = sample_rate
        self._is_spooled = False

    async def find_spooled(self) -> EncodedFiles | None:
        """The files that an earlier attempt on this machine made and could not store."""
        files = await self._spool.find(self._lease.record.job_id, self._lease.record.recipe)
        self._is_spooled = files is not None
        return files

    async def encode(self, engine_job: EngineJob) -> EncodedFiles:
        """Encode everything that the engine made so far.

        Also measures the time of generation, from `engine_job.began` to this call.

        Raises:
            GenerationFailedError: if the audio cannot be encoded.
        """
        generated = time.perf_counter()
        audio, outputs = await self._encode(engine_job)
        generating = round(generated - (engine_job.began or generated), 3)
        encoding = round(time.perf_counter() - generated, 3)
        return EncodedFiles(audio, outputs, generating, encoding, tuple(engine_job.warnings))

    async def store(self, files: EncodedFiles, max_seconds: float, *, spoolable: bool) -> Result:
        """Upload the audio and the outputs.

        Args:
            files: of the job.
            max_seconds: for which each upload is retried while S3 is away.
            spoolable: whether to spool the files on disk while S3 is away, because the audio is complete.

        Raises:
            LeaseLostError: if another process changed the record.
            UnavailableError: if S3 is away for longer.
        """

        async def before_retry() -> None:
            if spoolable and not self._is_spooled:
                self._is_spooled = True
                await self._spool.save(self._lease.record.job_id, self._lease.record.recipe, files)
            await self._lease.report(self._lease.record.progress, "The audio waits for S3")

        async def upload(put: Callable[[], Awaitable[T]]) -> T:
            # Checked before each upload, so that an attempt that was frozen does not overwrite its successor's files.
            await self._lease.check()
            if self._lease.taken_over.is_set():
                raise LeaseLostError(self._lease.record.job_id)
            return await retry_until_deadline(put, max_seconds, before_retry)

        began, job_id, audio = time.perf_counter(), self._lease.record.job_id, files.audio
        stored = await upload(lambda: self._storage.put_audio(job_id, audio.data, audio.metadata))
        outputs = [await upload(partial(self._storage.put_output, *file)) for file in files.outputs]
        uploading = round(time.perf_counter() - began, 3)
        timings = Timings(generating=files.generating, encoding=files.encoding, uploading=uploading)
        return Result(audio.stored_as(stored), tuple(outputs), timings, files.warnings)

    async def remove_spooled(self) -> None:
        """Remove the job's files from the disk, because the job has ended."""
        if self._is_spooled:
            await self._spool.remove(self._lease.record.job_id)

    async def _encode(self, engine_job: EngineJob) -> tuple[AudioFile, list[OutputFile]]:
        job_id, recipe, chunks = self._lease.record.job_id, self._lease.record.recipe, list(engine_job.chunks)
        try:
            audio = await asyncio.to_thread(make_audio_file, chunks, self._sample_rate, recipe)
            if not engine_job.has_outputs:
                return audio, []
            return audio, await asyncio.to_thread(make_output_files, job_id, engine_job, self._sample_rate, recipe)
        except ValueError as error:
            raise GenerationFailedError("invalid_audio", str(error)) from error
