"""GET /api/v1/download/{job_id} and its outputs: a redirect to S3, or the file through the gateway."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple, TypeVar

from aiohttp import web

from gateway.http.authentication import viewer_of
from gateway.http.conditional_requests import evaluate_preconditions, requested_range
from gateway.http.requests import read_query
from gateway.http.stored_content import record_loss, send_chunks
from gateway.jobs.file_names import content_disposition
from gateway.jobs.stored_files import LostError
from gateway.problems import Problem, audio_gone, lost_file_problem, unavailable
from gateway.schemas import DownloadQuery
from gateway.services import SERVICES, Services
from shared.files import Audio, Output, stored_name
from shared.messages import JobRecord, JobStatus

# Of a file that a browser shows nevertheless: an SVG must not run scripts or load anything with the gateway's origin.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

Response = TypeVar("Response", bound=web.StreamResponse)


class DownloadableFile(NamedTuple):
    """A stored file of a job, and the headers to send it with."""

    stored: Audio | Output
    name: str
    disposition: str
    modified: datetime

    @property
    def headers(self) -> dict[str, str]:
        return {
            "Content-Type": self.stored.content_type,
            "Accept-Ranges": "bytes",
            "Content-Disposition": self.disposition,
            "Content-Security-Policy": POLICY,
        }


async def download(request: web.Request) -> web.StreamResponse:
    """GET the audio of a job; see `_respond`."""
    return await _respond(request, audio_file)


async def download_output(request: web.Request) -> web.StreamResponse:
    """GET an output of a job, such as a stem; see `_respond`."""
    return await _respond(request, lambda record: output_file(record, request.match_info["name"]))


async def _respond(request: web.Request, choose: Callable[[JobRecord], DownloadableFile]) -> web.StreamResponse:
    """Redirect to a presigned URL (302), or send the file with `proxy=1`. HEAD returns the size and headers.

    Raises:
        Problem: those of `choose`; 410 if the file has expired or is lost; 503 if S3 is unavailable.
    """
    services = request.app[SERVICES]
    query = read_query(request, DownloadQuery)
    record = await services.jobs.find(request.match_info["job_id"], viewer_of(request))
    file = choose(record)
    if services.index.has_lost(record, file.stored.key):
        raise lost_file_problem(record, file.name)
    if services.index.has_expired(record):
        raise audio_gone(record)
    transfer = Transfer(request, services, record, file)
    try:
        return await (transfer.proxy() if query.proxy else transfer.redirect())
    except LostError as error:
        await record_loss(services, record, error)
        raise lost_file_problem(record, file.name) from error


def audio_file(record: JobRecord) -> DownloadableFile:
    """The audio of a finished job.

    Raises:
        Problem: 409 with the job's state if there is none, so that a 200 always is audio.
    """
    if record.status in (JobStatus.COMPLETED, JobStatus.CANCELLED) and record.audio is not None:
        return _file(record, record.audio)
    reasons = {
        JobStatus.FAILED: f"failed: {record.error_message}",
        JobStatus.CANCELLED: "was cancelled without keeping its audio (DELETE with ?keep=1 keeps it)",
    }
    reason = reasons.get(record.status, f"is still {record.status.value}; wait until it has completed")
    raise Problem(HTTPStatus.CONFLICT, f"Job {record.job_id} has no audio: it {reason}.")


def output_file(record: JobRecord, name: str) -> DownloadableFile:
    """A file of a finished job besides its audio: an output, or a picture or the peaks of the waveform.

    Raises:
        Problem: 409 as for the audio; 404 that lists the existing files.
    """
    audio_file(record)
    for file in (*record.outputs, *record.extras):
        if file.name == name:
            return _file(record, file)
    outputs = ", ".join(output.name for output in record.outputs) or 'none; POST with "outputs" requests them'
    detail = f"Job {record.job_id} has no file of this name. Its outputs: {outputs}."
    if record.extras:
        detail += f" Further files: {', '.join(extra.name for extra in record.extras)}."
    raise Problem(HTTPStatus.NOT_FOUND, detail)


def _file(record: JobRecord, stored: Audio | Output) -> DownloadableFile:
    name = stored_name(stored.key)
    # HTTP dates have whole seconds.
    modified = (record.completed_at or record.updated_at).replace(microsecond=0)
    return DownloadableFile(stored, name, content_disposition(record, name), modified)


@dataclass(frozen=True)
class Transfer:
    """One transfer of a stored file to a client, directly or by redirect.

    Raises:
        LostError: if the file turns out lost before the headers are sent.
    """

    request: web.Request
    services: Services
    record: JobRecord
    file: DownloadableFile

    async def redirect(self) -> web.Response:
        """Redirect to S3, after a check that the file exists there."""
        stored, probe = self.file.stored, self.services.probe
        # An outage that the probe knows of is answered at once; `check` would wait for its timeout.
        if probe.s3.status != "healthy":
            raise unavailable(probe.s3.message, retry_after=5)
        await self.services.stored_files.check(stored)
        if self.request.method == "HEAD":  # a presigned URL is valid for GET only
            return web.Response(headers=self.file.headers | {"Content-Length": str(stored.size)})
        if not await self.services.usage.touch(self.record):
            raise audio_gone(self.record)
        url = self.services.storage.public_url(stored.key, self.file.disposition)
        return web.Response(status=HTTPStatus.FOUND, headers={"Location": url, "Cache-Control": "no-store"})

    async def proxy(self) -> web.StreamResponse:
        """Send the file, a range of it, or the result of the preconditions."""
        request, stored = self.request, self.file.stored
        condition = evaluate_preconditions(request, stored.sha256, self.file.modified)
        if condition or request.method == "HEAD":
            await self.services.stored_files.check(stored)
            if condition is HTTPStatus.PRECONDITION_FAILED:
                raise Problem(condition, "The stored file does not match If-Match or If-Unmodified-Since.")
            headers = self.file.headers | {"Content-Length": str(stored.size)}
            return self._add_validators(web.Response(status=condition or HTTPStatus.OK, headers=headers))
        byte_range = requested_range(request, stored.sha256, stored.size)
        response = self._add_validators(web.StreamResponse(headers=self.file.headers))
        if byte_range is not None:
            response.set_status(HTTPStatus.PARTIAL_CONTENT)
            response.headers["Content-Range"] = f"bytes {byte_range.start}-{byte_range.stop - 1}/{stored.size}"
        response.content_length = stored.size if byte_range is None else len(byte_range)
        await self._stream(response, range(stored.size) if byte_range is None else byte_range)
        return response

    def _add_validators(self, response: Response) -> Response:
        response.etag, response.last_modified = self.file.stored.sha256, self.file.modified
        return response

    async def _stream(self, response: web.StreamResponse, byte_range: range) -> None:
        async with self.services.stored_files.opened(self.file.stored, byte_range) as chunks:
            await send_chunks(self.request, self.services, self.record, response, chunks)
