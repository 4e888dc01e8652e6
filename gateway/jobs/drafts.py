"""From a validated request to the record of a job that is not accepted yet."""

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec

from shared.job_id import job_id_for, new_job_id
from shared.messages import JobRecord, Recipe, now
from shared.transitions import accepted


class Creations:
    """The times at which jobs are made: each is later than the one before, so that they tell the order."""

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)

    def next(self) -> datetime:
        """The present, or a little later. A clock that was set back is believed."""
        moment = now()
        if moment <= self._latest < moment + timedelta(seconds=1):
            moment = self._latest + timedelta(milliseconds=1)
        self._latest = moment
        return moment


_creations = Creations()


def draft_record(
    recipe: Recipe, body: msgspec.Struct, idempotency_key: str | None, traceparent: str, owner: str | None
) -> JobRecord:
    """A queued job.

    Args:
        recipe: what to make.
        body: the request, as sent: a repeated key must come with the same one.
        idempotency_key: of the request, if it has one. It settles the job's id.
        traceparent: of the request.
        owner: the name of its API key.
    """
    return accepted(
        _job_id(idempotency_key, owner),
        recipe,
        _creations.next(),
        fingerprint=hashlib.sha256(fingerprint_source(body)).hexdigest() if idempotency_key else None,
        traceparent=traceparent,
        owner=owner,
    )


def _job_id(idempotency_key: str | None, owner: str | None) -> str:
    """A key of a request belongs to an API key: two of these may use the same one. Neither holds a space."""
    if idempotency_key is None:
        return new_job_id()
    return job_id_for(idempotency_key if owner is None else f"{owner} {idempotency_key}")


def fingerprint_source(request: msgspec.Struct) -> bytes:
    """The request in one spelling, so that white space and field order make no difference."""
    return msgspec.json.encode(request, order="sorted")
