"""GET /api/v1/download/{job_id}: a redirect to storage, or the bytes through the gateway."""

from http import HTTPStatus

import aiohttp
from aiohttp import web

from gateway.api import DownloadQuery
from gateway.problems import Problem, unavailable
from gateway.services import SERVICES, Services
from gateway.validation import read_query
from shared.messages import JobRecord, JobStatus

CHUNK = 256 * 1024
_FORWARDED = ("Range", "If-Range")
_RETURNED = ("Content-Length", "Content-Range", "Accept-Ranges", "Last-Modified", "ETag")


async def download(request: web.Request) -> web.StreamResponse:
    """302 to a presigned URL; with `proxy=1` the audio itself. HEAD tells the size without either."""
    services = request.app[SERVICES]
    query = read_query(request, DownloadQuery)
    record = await services.jobs.find(request.match_info["job_id"])
    key = _finished_key(record)
    filename = f"{record.job_id}.wav"
    if request.method == "HEAD":
        return _head(record, filename)
    if query.proxy:
        return await _through_gateway(request, services, key, filename)
    if services.probe.s3.status != "healthy":
        raise unavailable(services.probe.s3.message, retry_after=5)
    url = services.storage.presigned_url(key, filename)
    return web.Response(status=HTTPStatus.FOUND, headers={"Location": url, "Cache-Control": "no-store"})


def _finished_key(record: JobRecord) -> str:
    """The object's key, or 409 that says what became of the job. Nothing but audio is ever served with 200."""
    if record.status in (JobStatus.COMPLETED, JobStatus.CANCELLED) and record.audio is not None:
        return record.audio.key
    reasons = {
        JobStatus.FAILED: f"failed: {record.error_message}",
        JobStatus.CANCELLED: "was cancelled, and nothing was kept (DELETE with ?keep=1 keeps what was made)",
    }
    reason = reasons.get(record.status, f"is still {record.status.value}; wait until it has completed")
    raise Problem(HTTPStatus.CONFLICT, f"Job {record.job_id} has no audio: it {reason}.")


def _head(record: JobRecord, filename: str) -> web.Response:
    """A presigned URL is signed for GET alone, so HEAD is answered from the record."""
    assert record.audio is not None
    headers = {
        "Content-Type": "audio/wav",
        "Content-Length": str(record.audio.size),
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{filename}"',
    }
    return web.Response(headers=headers)


async def _through_gateway(request: web.Request, services: Services, key: str, filename: str) -> web.StreamResponse:
    url = services.storage.presigned_url(key, filename, internal=True)
    headers = {name: request.headers[name] for name in _FORWARDED if name in request.headers}
    try:
        async with services.http.get(url, headers=headers) as upstream:
            return await _relay(request, upstream, filename)
    except (TimeoutError, aiohttp.ClientConnectionError) as error:
        raise unavailable(f"S3 is away: {error}", retry_after=5) from error


async def _relay(request: web.Request, upstream: aiohttp.ClientResponse, filename: str) -> web.StreamResponse:
    _check(upstream)
    response = web.StreamResponse(status=upstream.status)
    for name in _RETURNED:
        if name in upstream.headers:
            response.headers[name] = upstream.headers[name]
    response.content_type = "audio/wav"
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    await response.prepare(request)
    async for chunk in upstream.content.iter_chunked(CHUNK):
        await response.write(chunk)
    await response.write_eof()
    return response


def _check(upstream: aiohttp.ClientResponse) -> None:
    match upstream.status:
        case HTTPStatus.OK | HTTPStatus.PARTIAL_CONTENT:
            return
        case HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            kept = {"Content-Range": upstream.headers["Content-Range"]} if "Content-Range" in upstream.headers else {}
            raise Problem(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, "The file is shorter than that.", headers=kept)
        case HTTPStatus.NOT_FOUND:
            raise Problem(HTTPStatus.GONE, "The audio is no longer stored. Generate it again with the job's recipe.")
        case _:
            raise unavailable(f"S3 answered {upstream.status} instead of the audio.", retry_after=5)
