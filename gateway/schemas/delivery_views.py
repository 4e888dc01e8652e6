"""The deliveries of webhooks, as clients see them."""

from typing import Annotated

import msgspec
from msgspec import Meta

from shared.job_id import JOB_ID_PATTERN
from shared.messages import EventType, Moment
from shared.webhook import DeliveryStatus

JobId = Annotated[str, Meta(pattern=JOB_ID_PATTERN)]


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """The delivery of one event to a webhook.

    Attributes:
        id: the header webhook-id; the same for every attempt.
        seq: of the event.
        type: of the event.
        attempts: since the event, or since it was sent again.
        tried_at: when the last attempt ended.
        next_at: when the next attempt may begin; null unless the delivery is the job's next one.
        http_status: of the last answer.
        error: why the last attempt got no answer.
    """

    id: str
    job_id: str
    seq: int
    type: EventType
    url: str
    status: DeliveryStatus
    attempts: int
    tried_at: Moment | None
    next_at: Moment | None
    http_status: int | None
    error: str | None


class DeliveryList(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries: the job that changed last first, and of each job the newest event first."""

    deliveries: list[DeliveryView]


class DeliveriesQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The query of GET /api/v1/webhooks/deliveries.

    Attributes:
        job_id: only deliveries of this job.
        status: only deliveries in this status.
        limit: the most deliveries in the answer.
    """

    job_id: JobId | None = None
    status: DeliveryStatus | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class ResendRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /api/v1/webhooks/deliveries.

    Attributes:
        job_id: the job.
        seq: of the event to send again; without it, all that failed are.
    """

    job_id: JobId
    seq: Annotated[int, Meta(ge=0)] | None = None
