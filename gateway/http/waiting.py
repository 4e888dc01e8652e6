"""The answer to a request that made jobs: at once, or with `Prefer: wait` when they have ended."""

import asyncio
from contextlib import suppress

import msgspec
from aiohttp import web

from gateway.http.authentication import viewer_of
from gateway.http.live_connections import following, live_connection
from gateway.http.middleware import STAYS_OPEN
from gateway.http.preferences import preferred_wait
from gateway.http.responses import json_response
from gateway.jobs.drafts import takes_of
from gateway.live.messages import decode_head
from gateway.live.outbox import OutboxFullError
from gateway.problems import Problem
from gateway.services import SERVICES, Services
from shared.errors import DamagedRecordError, UnavailableError
from shared.messages import TERMINAL, JobRecord


async def accepted_response(request: web.Request, record: JobRecord, accepted: msgspec.Struct) -> web.Response:
    """Answer with `accepted`, or after a wait with the status, which has the same fields and more.

    A preference binds the gateway to nothing: at a limit of connections it answers at once (RFC 7240, section 2).
    """
    seconds = preferred_wait(request)
    if not seconds:
        return json_response(accepted)
    request[STAYS_OPEN] = True
    try:
        with live_connection(request):
            await _wait(request.app[SERVICES], record, viewer_of(request), seconds)
    except Problem:
        return json_response(accepted)
    response = json_response(await _view(request.app[SERVICES], record))
    response.headers["Preference-Applied"] = f"wait={seconds}"
    return response


async def _wait(services: Services, record: JobRecord, viewer: str | None, seconds: float) -> None:
    """Return when all takes have ended, when the time is up, or when the gateway stops."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(_until_ended(services, take.job_id, viewer) for take in takes_of(record)))


async def _until_ended(services: Services, job_id: str, viewer: str | None) -> None:
    async with following(services, job_id, None, viewer) as outbox:
        with suppress(OutboxFullError):
            while isinstance(frame := await outbox.get(), bytes):
                if decode_head(frame).type in (*TERMINAL, "end", "error"):
                    return


async def _view(services: Services, record: JobRecord) -> msgspec.Struct:
    """The status now. The bucket has the end of a job a moment before the index."""
    with suppress(UnavailableError, DamagedRecordError):
        if entry := await services.record_store.fetch(record.job_id):
            services.index.apply(entry)
    return services.views.of(services.index.record(record.job_id) or record)
