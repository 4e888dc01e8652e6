"""Sends stored files through the gateway: their use is renewed, and a loss is recorded."""

from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

from gateway import metrics
from gateway.jobs.stored_files import LostError
from gateway.problems import audio_gone
from gateway.services import Services
from shared.errors import UnavailableError
from shared.logs import get_logger
from shared.messages import JobRecord

log = get_logger(__name__)


async def send_chunks(
    request: web.Request,
    services: Services,
    record: JobRecord,
    response: web.StreamResponse,
    chunks: AsyncIterator[bytes],
) -> None:
    """Send content of a job's files as the body of `response`, as fast as the client takes it.

    After the headers, an error breaks the connection off, so that the client detects the truncated body.

    Raises:
        Problem: 410 if the audio has expired.
        LostError: if a file turns out lost before the headers are sent.
        UnavailableError: if S3 is away before the headers are sent.
    """
    if not await services.usage.touch(record):
        raise audio_gone(record)
    try:
        first = await anext(chunks, b"")  # before the headers, so that a damaged short file gets a 410
    except (TimeoutError, aiohttp.ClientError) as error:
        raise UnavailableError(f"S3 is away: {error!r}") from error
    try:
        await response.prepare(request)
        await response.write(first)
        async for chunk in chunks:
            await response.write(chunk)
            await services.usage.touch(record)  # so that it does not expire under a slow client
        await response.write_eof()
    except (TimeoutError, aiohttp.ClientError, UnavailableError, LostError) as error:
        log.warning("download aborted", job_id=record.job_id, path=request.path, error=repr(error))
        try:
            # First, because the end of the connection cancels the handler.
            if isinstance(error, LostError):
                await record_loss(services, record, error)
        finally:
            if request.transport is not None:
                request.transport.abort()


async def record_loss(services: Services, record: JobRecord, error: LostError) -> None:
    """Mark a file as lost in the job's record. If NATS is away, the next download tries again."""
    log.warning("stored file lost", job_id=record.job_id, error=str(error))
    metrics.LOST_FILES.inc()
    try:
        await services.record_store.mark_lost(record.job_id, error.file)
    except UnavailableError as away:
        log.info("loss not recorded yet", error=str(away))
