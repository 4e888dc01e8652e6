"""GET /api/v1/jobs/{job_id}/events: the events of one job as Server-Sent Events, up to the last one.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import re
from http import HTTPStatus

from aiohttp import web

from gateway import metrics
from gateway.http.authentication import viewer_of
from gateway.http.live_connections import following, live_connection
from gateway.http.middleware import STAYS_OPEN
from gateway.live.messages import decode_head
from gateway.live.outbox import END, Outbox, OutboxFullError
from gateway.problems import FieldError, invalid
from gateway.services import SERVICES, Services
from shared.logs import get_logger
from shared.messages import TERMINAL

log = get_logger(__name__)

EVENT_STREAM = "text/event-stream"
# Seconds without an event after which a comment is sent: it detects dead connections, and proxies close idle ones.
HEARTBEAT_INTERVAL = 15.0
# Seconds for a client to take an event.
SEND_TIMEOUT = 5.0
# With the first event: the client waits a second before it reconnects; browsers choose three otherwise.
_RETRY = b"retry: 1000\n"
_HEARTBEAT = b":\n\n"
_SEQ = re.compile(r"\d{1,18}", re.ASCII)


async def events(request: web.Request) -> web.StreamResponse:
    """Stream the job's events. 204, which ends the reconnecting of browsers, if the client has the last one already."""
    services, viewer, job_id = request.app[SERVICES], viewer_of(request), request.match_info["job_id"]
    after_seq = _last_event_id(request)
    await services.jobs.find(job_id, viewer)
    if after_seq is not None and _has_ended_by(services, job_id, after_seq):
        return web.Response(status=HTTPStatus.NO_CONTENT)
    # The header asks nginx not to collect events.
    response = web.StreamResponse(headers={"Content-Type": EVENT_STREAM, "X-Accel-Buffering": "no"})
    request[STAYS_OPEN] = True
    with live_connection(request), metrics.EVENT_STREAMS.track_inprogress():
        await response.prepare(request)
        async with following(services, job_id, after_seq, viewer) as outbox:
            await _send_events(request, response, outbox)
    return response


def _last_event_id(request: web.Request) -> int | None:
    """The `seq` of the last event that the client has received; None if it is new.

    Raises:
        Problem: 422 if it is no number.
    """
    given = request.headers.get("Last-Event-ID", "").strip()
    if not given:
        return None
    if not _SEQ.fullmatch(given):
        raise invalid(FieldError("Last-Event-ID", "The id of the last event that you received, or leave it out."))
    return int(given)


def _has_ended_by(services: Services, job_id: str, seq: int) -> bool:
    entry = services.index.entry(job_id)
    return entry is not None and entry.record.status.is_terminal and (entry.record.seq or entry.revision) <= seq


async def _send_events(request: web.Request, response: web.StreamResponse, outbox: Outbox) -> None:
    """Send events up to the last one. If the client does not read them in time, abort the connection."""
    try:
        start = _RETRY
        while True:
            frame = await _next_frame(response, outbox)
            head = decode_head(frame)
            if head.type in ("end", "error"):
                return  # the gateway stops, or the job is gone: a client that reconnects is told
            lines = b"\ndata: ".join(frame.splitlines())  # another program may write JSON on several lines
            await _write(response, b"%bid: %d\ndata: %b\n\n" % (start, head.seq, lines))
            start = b""
            if head.type in TERMINAL:
                return
    except (TimeoutError, OutboxFullError):
        metrics.SLOW_EVENT_STREAMS.inc()
        log.info("event stream closed: the client reads too slowly")
        if request.transport is not None:
            request.transport.abort()


async def _next_frame(response: web.StreamResponse, outbox: Outbox) -> bytes:
    """The next frame; meanwhile comments are sent."""
    while True:
        try:
            async with asyncio.timeout(HEARTBEAT_INTERVAL):
                frame = await outbox.get()
        except TimeoutError:
            await _write(response, _HEARTBEAT)
        else:
            return frame if isinstance(frame, bytes) else END


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(SEND_TIMEOUT):
        await response.write(data)
