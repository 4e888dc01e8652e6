"""GET and POST /api/v1/webhooks/deliveries: list deliveries, and repeat them."""

import asyncio

from aiohttp import web

from gateway.http.authentication import viewer_of
from gateway.http.requests import read_body, read_query
from gateway.http.responses import json_response
from gateway.schemas.delivery_views import DeliveriesQuery, DeliveryList, DeliveryView, ResendRequest
from gateway.services import SERVICES
from gateway.webhooks.deliveries import EventDelivery, JobDeliveries, webhook_id


async def list_deliveries(request: web.Request) -> web.Response:
    """The deliveries of the client's jobs."""
    query, webhooks = read_query(request, DeliveriesQuery), request.app[SERVICES].webhooks
    found = await webhooks.list_deliveries(viewer_of(request), query.job_id, query.status, query.limit)
    return json_response(DeliveryList(deliveries=[_view(job, each) for job, each in found]))


async def send_again(request: web.Request) -> web.Response:
    """Deliver an event again, or all that failed; answers with all deliveries of the job."""
    body, webhooks = await read_body(request, ResendRequest), request.app[SERVICES].webhooks
    job = await asyncio.shield(webhooks.send_again(viewer_of(request), body.job_id, body.seq))
    return json_response(DeliveryList(deliveries=[_view(job, each) for each in reversed(job.deliveries)]))


def _view(job: JobDeliveries, delivery: EventDelivery) -> DeliveryView:
    event, last = delivery.event, delivery.last
    return DeliveryView(
        id=webhook_id(job.job_id, event.seq),
        job_id=job.job_id,
        seq=event.seq,
        type=event.type,
        url=job.url,
        status=delivery.status,
        attempts=delivery.attempts,
        tried_at=delivery.tried_at,
        next_at=job.next_at if delivery is job.pending else None,
        http_status=last.http_status if last else None,
        error=last.error if last else None,
    )
