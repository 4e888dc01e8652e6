"""Drafts: the records of new jobs, made from a request and not stored yet."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from shared.job_id import job_id_for, new_job_id
from shared.messages import JobRecord, Recipe, RequestedTake, now
from shared.transitions import accepted
from shared.webhook import Webhook

SEEDS = 2**32


class Creations:
    """The creation times of jobs: each is later than the one before, so that they give the order."""

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)

    def next(self) -> datetime:
        """Now, or a little later. If the clock was set back by more than a second, its new time is used."""
        moment = now()
        if moment <= self._latest < moment + timedelta(seconds=1):
            moment = self._latest + timedelta(milliseconds=1)
        self._latest = moment
        return moment


_creations = Creations()


def draft_jobs(
    recipe: Recipe,
    body: msgspec.Struct,
    idempotency_key: str | None,
    traceparent: str,
    owner: str | None,
    lane: str,
    takes: int = 1,
    *,
    cancel_at: datetime | None = None,
    webhook: Webhook | None = None,
) -> list[JobRecord]:
    """The records of a request's jobs, one for each take.

    The first take has the recipe's seed, and each other one the seed after the one before: with seed 7 they have 7, 8,
    9. After the largest seed comes 0.

    Args:
        recipe: the music to generate.
        body: the request as sent; a repeated key must come with an equal one.
        idempotency_key: the request's Idempotency-Key, which determines the job ids.
        traceparent: the request's trace context.
        owner: the name of the request's API key.
        lane: of the queue.
        takes: how many jobs.
        cancel_at: when they are cancelled unless they have ended, by the broker's clock.
        webhook: where their events are sent.
    """
    recipes = [replace(recipe, seed=(recipe.seed + number) % SEEDS) for number in range(takes)]
    ids = [_job_id(idempotency_key, owner, number) for number in range(takes)]
    listed = _takes(ids, recipes) if takes > 1 else ()
    fingerprint = hashlib.sha256(fingerprint_source(body)).hexdigest() if idempotency_key else None
    return [
        accepted(
            job_id,
            recipe,
            _creations.next(),
            fingerprint=fingerprint,
            traceparent=traceparent,
            owner=owner,
            lane=lane,
            takes=listed,
            cancel_at=cancel_at,
            webhook=webhook,
        )
        for job_id, recipe in zip(ids, recipes, strict=True)
    ]


def takes_of(record: JobRecord) -> tuple[RequestedTake, ...]:
    """All takes of the job's request; the job alone if it asked for one."""
    return record.takes or _takes([record.job_id], [record.recipe])


def _takes(ids: Sequence[str], recipes: Sequence[Recipe]) -> tuple[RequestedTake, ...]:
    return tuple(RequestedTake(job_id=job_id, seed=recipe.seed) for job_id, recipe in zip(ids, recipes, strict=True))


def _job_id(idempotency_key: str | None, owner: str | None, number: int) -> str:
    """Idempotency keys are scoped by API key. Neither holds a space or a line break, so joining is unambiguous."""
    if idempotency_key is None:
        return new_job_id()
    scoped = idempotency_key if owner is None else f"{owner} {idempotency_key}"
    return job_id_for(scoped if number == 0 else f"{scoped}\n{number}")


def fingerprint_source(request: msgspec.Struct) -> bytes:
    """The request in canonical form: whitespace and field order make no difference."""
    return msgspec.json.encode(request, order="sorted")
