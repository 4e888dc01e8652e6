"""POST /api/v1/jobs/{job_id}/vary, /extend and /replace: submit a child of a take; and the take's lineage."""

import asyncio

import msgspec
from aiohttp import web

from gateway.http.authentication import viewer_of
from gateway.http.handlers.generate import cancel_time, idempotency_key, with_stored_audio
from gateway.http.middleware import TRACEPARENT
from gateway.http.requests import read_body
from gateway.http.responses import json_response
from gateway.http.waiting import accepted_response
from gateway.jobs.children import make_child
from gateway.jobs.drafts import draft_jobs
from gateway.jobs.edit_requests import ChildAccepted, EditRequest, ExtendRequest, ReplaceRequest, VaryRequest
from gateway.jobs.lineage import lineage_of
from gateway.services import SERVICES


class _Call(msgspec.Struct, frozen=True):
    """What a repeated Idempotency-Key must repeat."""

    parent: str
    kind: str
    body: msgspec.Struct


async def vary(request: web.Request) -> web.Response:
    """Compose a share of a take again."""
    return await _submit(request, await read_body(request, VaryRequest))


async def extend(request: web.Request) -> web.Response:
    """Add bars in front or at the end."""
    return await _submit(request, await read_body(request, ExtendRequest))


async def replace(request: web.Request) -> web.Response:
    """Compose some bars or seconds again, of all or of some instruments."""
    return await _submit(request, await read_body(request, ReplaceRequest))


async def _submit(request: web.Request, body: EditRequest) -> web.Response:
    services, viewer = request.app[SERVICES], viewer_of(request)
    parent = await services.jobs.find(request.match_info["job_id"], viewer)
    recipe = make_child(parent, body, services.settings.max_duration)
    call = _Call(parent.job_id, type(body).__name__, body)
    lane = services.lanes.of(viewer, None)
    key, deadline = idempotency_key(request), cancel_time(request)
    webhook = services.webhooks.target(viewer, body.webhook, body.webhook_events)
    drafts = draft_jobs(recipe, call, key, request[TRACEPARENT], viewer, lane, cancel_at=deadline, webhook=webhook)
    drafts = await with_stored_audio(services, drafts, viewer)
    # Shielded and cached as in `generate`.
    record = await asyncio.shield(services.acceptance.accept(drafts, "none" if body.seed is None else "same"))
    accepted = ChildAccepted(
        job_id=record.job_id,
        status=record.status,
        message=record.message,
        created_at=record.created_at,
        parent=parent.job_id,
    )
    return await accepted_response(request, record, accepted)


async def lineage(request: web.Request) -> web.Response:
    """All takes that come from the same one."""
    services, viewer = request.app[SERVICES], viewer_of(request)
    record = await services.jobs.find(request.match_info["job_id"], viewer)
    return json_response(lineage_of(record, services.index, viewer))
