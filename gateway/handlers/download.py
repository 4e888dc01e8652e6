"""GET /api/v1/download/{job_id} and what lies below it: a redirect to storage, or the bytes through the gateway."""

from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import NamedTuple

import aiohttp
from aiohttp import web

from gateway.access import owner_of
from gateway.api import DownloadQuery
from gateway.problems import Problem, audio_gone, unavailable
from gateway.services import SERVICES, Services
from gateway.validation import read_query
from shared.errors import UnavailableError
from shared.logs import get_logger
from shared.messages import JobRecord, JobStatus

log = get_logger(__name__)

CHUNK = 256 * 1024
_FORWARDED = ("Range", "If-Range")
_RETURNED = ("Content-Length", "Content-Range", "Accept-Ranges", "Last-Modified", "ETag")


class File(NamedTuple):
    """An object, and how a client saves it. `size` in bytes."""

    key: str
    size: int
    content_type: str
    name: str

    @property
    def disposition(self) -> str:
        return f'attachment; filename="{self.name}"'


async def download(request: web.Request) -> web.StreamResponse:
    """The audio of a job; see `_serve`."""
    return await _serve(request, audio_of)


async def download_output(request: web.Request) -> web.StreamResponse:
    """A file that was made beside the audio; see `_serve`."""
    return await _serve(request, lambda record: output_of(record, request.match_info["name"]))


async def _serve(request: web.Request, choose: Callable[[JobRecord], File]) -> web.StreamResponse:
    """302 to a presigned URL; with `proxy=1` the file itself. HEAD tells the size without either.

    Raises:
        Problem: of `choose`; 410 if the file has expired; 503 if S3 is away.
    """
    services = request.app[SERVICES]
    query = read_query(request, DownloadQuery)
    record = await services.jobs.find(request.match_info["job_id"], owner_of(request))
    file = choose(record)
    if services.index.has_expired(record):
        raise audio_gone(record)
    if request.method == "HEAD":
        return _head(file)
    if not await services.renewals.renew(record):
        raise audio_gone(record)
    if query.proxy:
        return await _through_gateway(request, services, record, file)
    if services.probe.s3.status != "healthy":
        raise unavailable(services.probe.s3.message, retry_after=5)
    url = services.storage.presigned_url(file.key, file.name)
    return web.Response(status=HTTPStatus.FOUND, headers={"Location": url, "Cache-Control": "no-store"})


def audio_of(record: JobRecord) -> File:
    """A finished job's audio. Nothing but audio is ever served with 200.

    Raises:
        Problem: 409 that says what became of the job.
    """
    if record.status in (JobStatus.COMPLETED, JobStatus.CANCELLED) and record.audio is not None:
        return File(record.audio.key, record.audio.size, "audio/wav", f"{record.job_id}.wav")
    reasons = {
        JobStatus.FAILED: f"failed: {record.error_message}",
        JobStatus.CANCELLED: "was cancelled, and nothing was kept (DELETE with ?keep=1 keeps what was made)",
    }
    reason = reasons.get(record.status, f"is still {record.status.value}; wait until it has completed")
    raise Problem(HTTPStatus.CONFLICT, f"Job {record.job_id} has no audio: it {reason}.")


def output_of(record: JobRecord, name: str) -> File:
    """What a finished job made beside its audio.

    Raises:
        Problem: 409 as for the audio; 404 that says what there is.
    """
    audio_of(record)
    for output in record.outputs:
        if output.name == name:
            return File(output.key, output.size, output.content_type, f"{record.job_id}-{name}")
    names = ", ".join(output.name for output in record.outputs) or 'nothing; POST with "outputs" asks for it'
    raise Problem(HTTPStatus.NOT_FOUND, f"Job {record.job_id} has no such file. Beside its audio it has {names}.")


def _head(file: File) -> web.Response:
    """A presigned URL is signed for GET alone, so HEAD is answered from the record."""
    headers = {
        "Content-Type": file.content_type,
        "Content-Length": str(file.size),
        "Accept-Ranges": "bytes",
        "Content-Disposition": file.disposition,
    }
    return web.Response(headers=headers)


async def _through_gateway(
    request: web.Request, services: Services, record: JobRecord, file: File
) -> web.StreamResponse:
    url = services.storage.presigned_url(file.key, file.name, internal=True)
    headers = {name: request.headers[name] for name in _FORWARDED if name in request.headers}
    try:
        async with services.http.get(url, headers=headers) as upstream:
            _check(upstream, record)
            return await _relay(request, upstream, file, partial(services.renewals.renew, record))
    except (TimeoutError, aiohttp.ClientConnectionError) as error:
        raise unavailable(f"S3 is away: {error}", retry_after=5) from error


async def _relay(
    request: web.Request, upstream: aiohttp.ClientResponse, file: File, renew: Callable[[], Awaitable[bool]]
) -> web.StreamResponse:
    response = web.StreamResponse(status=upstream.status)
    for name in _RETURNED:
        if name in upstream.headers:
            response.headers[name] = upstream.headers[name]
    response.content_type = file.content_type
    response.headers["Content-Disposition"] = file.disposition
    await response.prepare(request)
    try:
        async for chunk in upstream.content.iter_chunked(CHUNK):
            await response.write(chunk)
            await renew()  # however slowly the client reads
        await response.write_eof()
    except (TimeoutError, aiohttp.ClientError, UnavailableError) as error:
        # The head is out, and whatever is written now would be taken for audio: the client sees that it ends too early.
        log.warning("download broken off", key=file.key, error=repr(error))
        if request.transport is not None:
            request.transport.abort()
    return response


def _check(upstream: aiohttp.ClientResponse, record: JobRecord) -> None:
    match upstream.status:
        case HTTPStatus.OK | HTTPStatus.PARTIAL_CONTENT:
            return
        case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            kept = {"Content-Range": upstream.headers["Content-Range"]} if "Content-Range" in upstream.headers else {}
            raise Problem(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "The file is shorter than that.", headers=kept)
        case HTTPStatus.NOT_FOUND:
            raise audio_gone(record)
        case _:
            raise unavailable(f"S3 answered {upstream.status} instead of the file.", retry_after=5)
