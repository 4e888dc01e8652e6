"""Requests that stay open for a client: WebSockets, streams of events, and requests that wait for a job's end."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web

from gateway.http.authentication import viewer_of
from gateway.live.outbox import END, Outbox
from gateway.problems import too_many, unavailable
from gateway.services import SERVICES, Services

# Of a gateway's connections: the others are for short requests.
MOST = 0.5
# Retry-After in seconds.
RETRY_AFTER = 10


@contextmanager
def live_connection(request: web.Request) -> Iterator[None]:
    """Count an open request of a client, which is identified by the name of its key, or by its address.

    Raises:
        Problem: 503 at the limit of this gateway, 429 at the limit of the client.
    """
    services = request.app[SERVICES]
    client, limit = viewer_of(request) or request.remote or "", services.settings.gateway_websockets_per_client
    connections: Counter[str] = services.live_connections
    most = int(services.settings.gateway_connections * MOST)
    if connections.total() >= most:
        detail = f"This gateway has reached its limit of {most} WebSocket connections and event streams."
        raise unavailable(detail, RETRY_AFTER)
    if connections[client] >= limit:
        detail = (
            f"{client} has reached its limit of {limit} WebSocket connections and event streams: close some. One "
            "WebSocket can follow many jobs."
        )
        raise too_many(detail, RETRY_AFTER)
    connections[client] += 1
    try:
        yield
    finally:
        connections[client] -= 1
        if not connections[client]:
            del connections[client]


@asynccontextmanager
async def following(
    services: Services, job_id: str, after_seq: int | None, viewer: str | None
) -> AsyncIterator[Outbox]:
    """The job's events, as the event hub sends them. `END` comes when the gateway stops."""
    outbox = Outbox(services.outbox_memory)
    services.followers.add(outbox)
    subscription = None
    try:
        subscription = await services.hub.subscribe(job_id, outbox, after_seq, viewer)
        yield outbox
    finally:
        services.followers.discard(outbox)
        if subscription is not None:
            services.hub.unsubscribe(subscription)
        outbox.clear()


async def end_followers(app: web.Application) -> None:
    """On shutdown, end the streams of events, and answer the requests that wait."""
    for outbox in app[SERVICES].followers:
        outbox.put(END)
