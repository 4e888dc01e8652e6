"""Produces and uploads the files of a job."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from msgspec.structs import replace
from opentelemetry import trace

from shared import tracing
from shared.errors import DiskError
from shared.files import Audio, Output
from shared.messages import Seed, Timings
from shared.music import Measured, Music
from shared.storage import Storage
from worker import metrics
from worker.delivery.object_metadata import recipe_metadata
from worker.delivery.spool import Delivery, Spool
from worker.engine.host.engine_job import GenerationFailedError
from worker.lease import Lease, LeaseLostError
from worker.production.produce import produce
from worker.production.take import Take
from worker.retry import retry_until_deadline

T = TypeVar("T")


class Result(NamedTuple):
    """What an attempt stored: fields of the job's record."""

    audio: Audio
    outputs: tuple[Output, ...]
    extras: tuple[Output, ...]
    music: Music | None
    measured: Measured | None
    seed: Seed | None
    timings: Timings
    warnings: tuple[str, ...]


class Uploader:
    """Produces and uploads the files of one lease's job. Call `aclose` at the end of the attempt."""

    def __init__(self, lease: Lease, storage: Storage, spool: Spool) -> None:
        self._lease = lease
        self._storage = storage
        self._spool = spool
        self._is_spooled = False
        self._workspaces: list[Path] = []

    async def find_spooled(self) -> Delivery | None:
        """The files that an earlier attempt on this machine made and could not store."""
        delivery = await self._spool.find(self._lease.record.job_id, self._lease.record.recipe)
        self._is_spooled = delivery is not None
        return delivery

    async def open_workspace(self) -> Path:
        """Create an empty folder on disk, which `aclose` removes.

        Raises:
            DiskError: if the disk cannot be written.
        """
        try:
            folder = await asyncio.to_thread(self._spool.open_workspace)
        except OSError as error:
            raise DiskError(error) from error
        self._workspaces.append(folder)
        return folder

    async def produce(self, take: Take, generating: float) -> Delivery:
        """Produce the files of a take, in a thread.

        Args:
            take: what the engine made.
            generating: the seconds that it took.

        Raises:
            GenerationFailedError: if the audio cannot be encoded.
            DiskError: if the disk cannot be written.
        """
        began, record = time.perf_counter(), self._lease.record
        try:
            with tracing.span("produce"):
                folder = await self.open_workspace()
                files = await asyncio.to_thread(produce, record.job_id, take, record.recipe, folder)
        except ValueError as error:
            raise GenerationFailedError("invalid_audio", str(error)) from error
        except OSError as error:
            raise DiskError(error) from error
        return Delivery(folder, files, generating, round(time.perf_counter() - began, 3))

    async def store(self, delivery: Delivery, max_seconds: float, *, spoolable: bool) -> Result:
        """Upload the audio and the outputs, within the span that is current.

        Args:
            delivery: the files of the job.
            max_seconds: for which each upload is retried while S3 is away.
            spoolable: whether to spool the files while S3 is away, because the audio is complete.

        Raises:
            LeaseLostError: if another process changed the record.
            UnavailableError: if S3 is away for longer.
        """
        began, job_id, recipe = time.perf_counter(), self._lease.record.job_id, self._lease.record.recipe
        metadata, files = recipe_metadata(recipe), delivery.files

        async def before_retry() -> None:
            nonlocal delivery
            if spoolable and not self._is_spooled:
                self._is_spooled = True
                delivery = await self._spool.save(job_id, recipe, delivery)
            await self._lease.report(self._lease.record.progress, "The audio waits for S3")

        async def upload(put: Callable[[], Awaitable[T]]) -> T:
            # Checked before each upload, so that an attempt that was frozen does not overwrite its successor's files.
            await self._lease.check()
            if self._lease.taken_over.is_set():
                raise LeaseLostError(job_id)
            return await retry_until_deadline(put, max_seconds, before_retry)

        async def put_audio() -> Audio:
            labels = metadata | {"sha256": files.audio.sha256}
            stored = await self._storage.put_audio(job_id, delivery.folder / files.audio.name, labels)
            return replace(files.audio, s3_etag=stored.etag)

        async def put_output(output: Output) -> Output:
            labels = metadata | {"sha256": output.sha256}
            return await self._storage.put_output(output, delivery.folder / output.name, labels)

        audio = await upload(put_audio)
        outputs = tuple([await upload(partial(put_output, output)) for output in files.outputs])
        extras = tuple([await upload(partial(put_output, output)) for output in files.extras])
        size = audio.size + sum(output.size for output in outputs + extras)
        metrics.UPLOADED.labels(recipe.model).inc(size)
        trace.get_current_span().set_attribute("musicgen.bytes", size)
        uploading = round(time.perf_counter() - began, 3)
        timings = Timings(generating=delivery.generating, encoding=delivery.encoding, uploading=uploading)
        return Result(audio, outputs, extras, files.music, files.measured, files.seed, timings, files.warnings)

    async def remove_spooled(self) -> None:
        """Remove the job's files from the disk, because the job has ended."""
        if self._is_spooled:
            await self._spool.remove(self._lease.record.job_id)

    async def aclose(self) -> None:
        """Remove the attempt's workspaces. Spooled files stay."""
        while self._workspaces:
            await self._spool.close_workspace(self._workspaces.pop())
