"""POST /api/v1/generate: validates a request and submits a job."""

import asyncio
import re
from datetime import datetime

from aiohttp import web
from msgspec import UNSET
from msgspec.structs import replace

from gateway.http.authentication import viewer_of
from gateway.http.middleware import TRACEPARENT
from gateway.http.preferences import requested_deadline
from gateway.http.requests import read_body
from gateway.http.waiting import accepted_response
from gateway.jobs.drafts import draft_jobs
from gateway.jobs.played_takes import play_take
from gateway.jobs.recipes import make_recipe
from gateway.jobs.result_cache import Reuse
from gateway.problems import FieldError, invalid, too_many
from gateway.schemas import IDEMPOTENCY_KEY_PATTERN, GenerateRequest, JobAccepted
from gateway.services import SERVICES, Services
from shared.messages import JobRecord, Recipe

_IDEMPOTENCY_KEY = re.compile(IDEMPOTENCY_KEY_PATTERN)


async def generate(request: web.Request) -> web.Response:
    """Accept a job, or return the earlier job with the same Idempotency-Key."""
    record = await submit(request, await read_body(request, GenerateRequest))
    accepted = JobAccepted(
        job_id=record.job_id,
        status=record.status,
        message=record.message,
        created_at=record.created_at,
        takes=record.takes,
    )
    return await accepted_response(request, record, accepted)


async def submit(request: web.Request, body: GenerateRequest) -> JobRecord:
    """Accept the jobs that `body` describes, for the client that sent `request`; returns the first one.

    Raises:
        Problem: if they are not accepted, with the reason.
        UnavailableError: if NATS is away or the queue is full.
    """
    services = request.app[SERVICES]
    viewer, takes = viewer_of(request), body.variations or 1
    recipe = await _recipe(services, body, viewer)
    _count_other_takes(services, viewer, takes)
    lane = services.lanes.of(viewer, body.priority or None)
    drafts = draft_jobs(
        recipe,
        _by_content(body, recipe),
        idempotency_key(request),
        request[TRACEPARENT],
        viewer,
        lane,
        takes,
        cancel_at=cancel_time(request),
        webhook=services.webhooks.target(viewer, body.webhook, body.webhook_events),
    )
    drafts = await with_stored_audio(services, drafts, viewer)
    # Shielded: if the client disconnects, aiohttp cancels the handler, but a job must not be half accepted.
    return await asyncio.shield(services.acceptance.accept(drafts, _reuse_policy(body, takes)))


async def with_stored_audio(services: Services, drafts: list[JobRecord], viewer: str | None) -> list[JobRecord]:
    """The drafts of one request, once the audio that they are made of is stored for them. See `Excerpts.store`."""
    recipe = drafts[0].recipe
    is_made_of_audio = recipe.audio is not None or recipe.parent_audio is not None
    if not is_made_of_audio or await services.acceptance.is_known(drafts[0]):
        return drafts
    stored = await services.excerpts.store(recipe, viewer)
    return [replace(draft, recipe=replace(draft.recipe, audio=stored.audio)) for draft in drafts]


async def _recipe(services: Services, body: GenerateRequest, viewer: str | None) -> Recipe:
    score = body.score or None
    if (
        score is not None
        and score.action == "play"
        and score.job_id is not UNSET
        and score.audio_id is score.sha256 is UNSET
    ):
        parent = await services.jobs.find(score.job_id, viewer)
        if parent.recipe.score is None:
            return play_take(parent, body, score)
    return make_recipe(
        body,
        default_model=services.settings.model,
        models=services.models(),
        max_duration=services.settings.max_duration,
        score=None if score is None else await services.scores.find(score, viewer),
    )


def _count_other_takes(services: Services, viewer: str | None, takes: int) -> None:
    """Each take counts as a request, as far as the burst allows; authentication counted the first one."""
    others = min(takes, services.settings.key_burst) - 1
    if viewer is not None and others and (wait := services.rate_limiter.take(viewer, others)):
        raise too_many("This API key is over its request rate limit. Slow down, or ask for fewer takes.", wait)


def _by_content(body: GenerateRequest, recipe: Recipe) -> GenerateRequest:
    """The request with its MIDI file by checksum: a client that uploads the file again repeats its request."""
    if not body.score or not body.score.audio_id or recipe.score is None:
        return body
    return replace(body, score=replace(body.score, audio_id=UNSET, sha256=recipe.score.sha256))


def _reuse_policy(body: GenerateRequest, takes: int) -> Reuse:
    """Which results may be reused. By default, a request without a seed generates new music, unless it plays a score.

    Several takes are never answered with audio of any seed: all would be the same.
    """
    if body.cache is UNSET:
        is_drawn = body.seed is None and not (body.score and body.score.action == "play")
        return "none" if is_drawn else "same"
    if not body.cache:
        return "none"
    return "any" if body.seed is None and takes == 1 else "same"


def cancel_time(request: web.Request) -> datetime | None:
    """When the jobs of a request with Cancel-After are cancelled, by the broker's clock, in whole milliseconds.

    Raises:
        Problem: 422 if the header is no time.
    """
    deadline = requested_deadline(request)
    if deadline is None:
        return None
    moment = request.app[SERVICES].index.broker_time() + deadline
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def idempotency_key(request: web.Request) -> str | None:
    """The request's Idempotency-Key.

    Raises:
        Problem: 422 if it is no such key.
    """
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.match(key):
        raise invalid(FieldError("Idempotency-Key", "1 to 255 visible ASCII characters, such as a UUID."))
    return key
