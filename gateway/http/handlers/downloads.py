"""GET /api/v1/download/{job_id} and what lies below it: a redirect to storage, or the bytes through the gateway."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple, TypeVar

import aiohttp
from aiohttp import web

from gateway import metrics
from gateway.http.authentication import owner_of
from gateway.http.conditional_requests import evaluate_preconditions, requested_range
from gateway.http.requests import read_query
from gateway.jobs.stored_files import LostError
from gateway.problems import Problem, audio_gone, file_lost, unavailable
from gateway.schemas import DownloadQuery
from gateway.services import SERVICES, Services
from shared.errors import UnavailableError
from shared.files import Audio, Output
from shared.logs import get_logger
from shared.messages import JobRecord, JobStatus

log = get_logger(__name__)

Response = TypeVar("Response", bound=web.StreamResponse)


class DownloadableFile(NamedTuple):
    """A file of a job, and how a client saves it."""

    stored: Audio | Output
    content_type: str
    name: str
    modified: datetime

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Content-Type": self.content_type,
            "Accept-Ranges": "bytes",
            "Content-Disposition": f'attachment; filename="{self.name}"',
        }


async def download(request: web.Request) -> web.StreamResponse:
    """The audio of a job; see `_respond`."""
    return await _respond(request, audio_file)


async def download_output(request: web.Request) -> web.StreamResponse:
    """A file that was made beside the audio; see `_respond`."""
    return await _respond(request, lambda record: output_file(record, request.match_info["name"]))


async def _respond(request: web.Request, choose: Callable[[JobRecord], DownloadableFile]) -> web.StreamResponse:
    """302 to a presigned URL; with `proxy=1` the file itself. HEAD tells the size without either.

    Raises:
        Problem: of `choose`; 410 if the file has expired or is lost; 503 if S3 is away.
    """
    services = request.app[SERVICES]
    query = read_query(request, DownloadQuery)
    record = await services.jobs.find(request.match_info["job_id"], owner_of(request))
    file = choose(record)
    if services.index.has_lost(record, file.stored.key):
        raise file_lost(record, file.name)
    if services.index.has_expired(record):
        raise audio_gone(record)
    asked = DownloadRequest(request, services, record, file)
    try:
        return await (asked.proxy() if query.proxy else asked.redirect())
    except LostError as error:
        await asked.record_loss(error)
        raise file_lost(record, file.name) from error


def audio_file(record: JobRecord) -> DownloadableFile:
    """A finished job's audio. Nothing but audio is ever served with 200.

    Raises:
        Problem: 409 that says what became of the job.
    """
    if record.status in (JobStatus.COMPLETED, JobStatus.CANCELLED) and record.audio is not None:
        return _file(record, record.audio, "audio/wav", f"{record.job_id}.wav")
    reasons = {
        JobStatus.FAILED: f"failed: {record.error_message}",
        JobStatus.CANCELLED: "was cancelled, and nothing was kept (DELETE with ?keep=1 keeps what was made)",
    }
    reason = reasons.get(record.status, f"is still {record.status.value}; wait until it has completed")
    raise Problem(HTTPStatus.CONFLICT, f"Job {record.job_id} has no audio: it {reason}.")


def output_file(record: JobRecord, name: str) -> DownloadableFile:
    """What a finished job made beside its audio.

    Raises:
        Problem: 409 as for the audio; 404 that says what there is.
    """
    audio_file(record)
    for output in record.outputs:
        if output.name == name:
            return _file(record, output, output.content_type, f"{record.job_id}-{name}")
    names = ", ".join(output.name for output in record.outputs) or 'nothing; POST with "outputs" asks for it'
    raise Problem(HTTPStatus.NOT_FOUND, f"Job {record.job_id} has no such file. Beside its audio it has {names}.")


def _file(record: JobRecord, stored: Audio | Output, content_type: str, name: str) -> DownloadableFile:
    modified = record.completed_at or record.updated_at
    return DownloadableFile(
        stored, content_type, name, modified.replace(microsecond=0)
    )  # HTTP's dates have whole seconds


class DownloadRequest(NamedTuple):
    """A request of a file that the job's record names. Before the head of an answer is out, LostError ends it."""

    request: web.Request
    services: Services
    record: JobRecord
    file: DownloadableFile

    async def redirect(self) -> web.Response:
        """A redirect, after a look whether that leads to the file."""
        stored, probe = self.file.stored, self.services.probe
        if probe.s3.status != "healthy":
            raise unavailable(probe.s3.message, retry_after=5)
        await self.services.stored_files.check(stored)
        if self.request.method == "HEAD":  # a presigned URL is signed for GET alone
            return web.Response(headers=self.file.headers | {"Content-Length": str(stored.size)})
        await self._renew_or_refuse()
        url = self.services.storage.presigned_url(stored.key, self.file.name)
        return web.Response(status=HTTPStatus.FOUND, headers={"Location": url, "Cache-Control": "no-store"})

    async def proxy(self) -> web.StreamResponse:
        """The file, or what the request's conditions make of it."""
        request, stored = self.request, self.file.stored
        condition = evaluate_preconditions(request, stored.sha256, self.file.modified)
        if condition or request.method == "HEAD":
            await self.services.stored_files.check(stored)
            if condition is HTTPStatus.PRECONDITION_FAILED:
                raise Problem(
                    condition, "The stored file is another one than If-Match or If-Unmodified-Since asks for."
                )
            headers = self.file.headers | {"Content-Length": str(stored.size)}
            return self._add_validators(web.Response(status=condition or HTTPStatus.OK, headers=headers))
        part = requested_range(request, stored.sha256, stored.size)
        response = self._add_validators(web.StreamResponse(headers=self.file.headers))
        if part is not None:
            response.set_status(HTTPStatus.PARTIAL_CONTENT)
            response.headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{stored.size}"
        response.content_length = stored.size if part is None else len(part)
        await self._stream(response, range(stored.size) if part is None else part)
        return response

    async def record_loss(self, error: LostError) -> None:
        """Have the job's record learn it. Without NATS the next download tries again."""
        log.warning("a file is lost", job_id=self.record.job_id, error=str(error))
        metrics.LOST_FILES.inc()
        try:
            await self.services.record_store.mark_lost(self.record.job_id, self.file.stored)
        except UnavailableError as away:
            log.info("the record learns of that later", error=str(away))

    def _add_validators(self, response: Response) -> Response:
        response.etag, response.last_modified = self.file.stored.sha256, self.file.modified
        return response

    async def _renew_or_refuse(self) -> None:
        if not await self.services.usage.touch(self.record):
            raise audio_gone(self.record)

    async def _stream(self, response: web.StreamResponse, part: range) -> None:
        async with self.services.stored_files.opened(self.file.stored, part) as pieces:
            await self._renew_or_refuse()
            try:
                first = await anext(pieces, b"")  # before the head: a short file that is damaged gets its 410
            except (TimeoutError, aiohttp.ClientError) as error:
                raise UnavailableError(f"S3 is away: {error!r}") from error
            try:
                await response.prepare(self.request)
                await response.write(first)
                async for piece in pieces:
                    await response.write(piece)
                    await self.services.usage.touch(self.record)  # however slowly the client reads
                await response.write_eof()
            except (TimeoutError, aiohttp.ClientError, LostError) as error:
                # What is written after the head is taken for audio: the client sees that the file ends too early.
                self._abort(error)
                if isinstance(error, LostError):
                    await self.record_loss(error)

    def _abort(self, error: Exception) -> None:
        log.warning("download broken off", key=self.file.stored.key, error=repr(error))
        if self.request.transport is not None:
            self.request.transport.abort()
