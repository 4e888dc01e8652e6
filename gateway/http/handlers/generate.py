"""POST /api/v1/generate: validates a request and submits a job."""

import asyncio
import re

from aiohttp import web
from msgspec import UNSET

from gateway.http.authentication import viewer_of
from gateway.http.middleware import TRACEPARENT
from gateway.http.requests import read_body
from gateway.http.responses import json_response
from gateway.jobs.job_service import draft_record
from gateway.jobs.recipes import make_recipe
from gateway.jobs.result_cache import Reuse
from gateway.problems import FieldError, invalid
from gateway.schemas import IDEMPOTENCY_KEY_PATTERN, GenerateRequest, JobAccepted
from gateway.services import SERVICES
from shared.messages import JobRecord

_IDEMPOTENCY_KEY = re.compile(IDEMPOTENCY_KEY_PATTERN)


async def generate(request: web.Request) -> web.Response:
    """Accept a job, or return the earlier job with the same Idempotency-Key."""
    record = await submit(request, await read_body(request, GenerateRequest))
    accepted = JobAccepted(
        job_id=record.job_id,
        status=record.status,
        message=record.message,
        created_at=record.created_at,
    )
    return json_response(accepted)


async def submit(request: web.Request, body: GenerateRequest) -> JobRecord:
    """Accept the job that `body` describes, for the client that sent `request`.

    Raises:
        Problem: if the job is not accepted, with the reason.
        UnavailableError: if NATS is away or the queue is full.
    """
    services = request.app[SERVICES]
    recipe = make_recipe(
        body,
        default_model=services.settings.model,
        models=services.models(),
        max_duration=services.settings.max_duration,
    )
    owner = viewer_of(request)
    lane = services.lanes.of(owner, body.priority or None)
    draft = draft_record(recipe, body, idempotency_key(request), request[TRACEPARENT], owner, lane)
    # Shielded: if the client disconnects, aiohttp cancels the handler, but a job must not be half accepted.
    return await asyncio.shield(services.jobs.accept(draft, _reuse_policy(body)))


def _reuse_policy(body: GenerateRequest) -> Reuse:
    """Which results may be reused. By default, a request without a seed generates new music."""
    if body.cache is UNSET:
        return "none" if body.seed is None else "same"
    if not body.cache:
        return "none"
    return "any" if body.seed is None else "same"


def idempotency_key(request: web.Request) -> str | None:
    """The request's Idempotency-Key.

    Raises:
        Problem: 422 if it is no such key.
    """
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.match(key):
        raise invalid(FieldError("Idempotency-Key", "1 to 255 visible ASCII characters, such as a UUID."))
    return key
