"""Job status, job list and cancellation."""

import asyncio
from datetime import UTC, datetime, timedelta

from aiohttp import web

from gateway.http.authentication import viewer_of
from gateway.http.requests import read_query
from gateway.http.responses import conditional_response, json_response
from gateway.index.position import Position
from gateway.problems import FieldError, invalid
from gateway.schemas import CancelQuery, JobList, JobsQuery, Message
from gateway.services import SERVICES
from shared.job_id import is_job_id
from shared.messages import JobRecord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def status(request: web.Request) -> web.Response:
    """GET /api/v1/status/{job_id}, served from memory; 304 if the client has it."""
    services = request.app[SERVICES]
    record = await services.jobs.find(request.match_info["job_id"], viewer_of(request))
    return conditional_response(request, json_response(services.views.of(record)))


async def list_jobs(request: web.Request) -> web.Response:
    """GET /api/v1/jobs: newest first, a page at a time."""
    services, viewer = request.app[SERVICES], viewer_of(request)
    query = read_query(request, JobsQuery)
    before = _decode_cursor(query.cursor) if query.cursor else None
    # One more than requested, to see whether there is a next page.
    found = services.index.newest(query.limit + 1, query.status, before, viewer)
    page = found[: query.limit]
    body = JobList(
        jobs=[services.views.of(record) for record in page],
        total=services.index.count(query.status, viewer),
        next_cursor=_encode_cursor(page[-1]) if len(found) > query.limit else None,
    )
    return json_response(body)


async def cancel(request: web.Request) -> web.Response:
    """DELETE /api/v1/jobs/{job_id}. With keep=1, the response precedes the upload of the kept audio."""
    query = read_query(request, CancelQuery)
    jobs = request.app[SERVICES].jobs
    cancel_jobs = jobs.cancel_takes if query.takes else jobs.cancel
    await asyncio.shield(cancel_jobs(request.match_info["job_id"], query.keep, viewer_of(request)))
    return json_response(Message("Job cancelled successfully"))


def _encode_cursor(record: JobRecord) -> str:
    milliseconds = (record.created_at - _EPOCH) // timedelta(milliseconds=1)
    return f"{milliseconds}-{record.job_id}"


def _decode_cursor(cursor: str) -> Position:
    milliseconds, _, job_id = cursor.partition("-")
    # 14 digits of milliseconds reach beyond the year 5000; more would overflow a datetime.
    if not (milliseconds.isascii() and milliseconds.isdigit() and len(milliseconds) <= 14 and is_job_id(job_id)):
        raise invalid(FieldError("cursor", "This is not the next_cursor of an earlier page."))
    return Position(_EPOCH + timedelta(milliseconds=int(milliseconds)), job_id)
