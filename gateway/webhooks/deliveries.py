"""The deliveries of one job's events: what the bucket `music_webhooks` has under the job's id, and its changes.

Deliveries of a job are made one after the other, in the order of the events. A delivery that keeps failing is given up
after MAX_ATTEMPTS, and the next one follows.
"""

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from shared.messages import Event, JobRecord, Moment
from shared.webhook import DeliveryStatus

# Pauses between attempts grow by this factor: 5 s, 15 s, 45 s … 9 h, so that a receiver may be away for half a day.
GROWTH = 3
MAX_ATTEMPTS = 10
# Seconds after which a claim ends, in case its gateway died. An attempt takes less.
LEASE = 30.0
# The receiver wants no more webhooks (Standard Webhooks, "Sending").
GONE = 410


class Outcome(msgspec.Struct, frozen=True):
    """What an attempt led to: the status of the answer, or an error without an answer."""

    http_status: int | None = None
    error: str | None = None

    @property
    def is_success(self) -> bool:
        return self.http_status is not None and 200 <= self.http_status < 300


class EventDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for the receiver.

    Attributes:
        attempts: since the event, or since it was sent again.
        last: the outcome of the last attempt.
        traceparent: of the event's message.
    """

    event: Event
    traceparent: str | None = None
    status: DeliveryStatus = "pending"
    attempts: int = 0
    tried_at: Moment | None = None
    last: Outcome | None = None


class JobDeliveries(msgspec.Struct, frozen=True, kw_only=True):
    """All deliveries of a job, in order.

    Attributes:
        next_at: when the first pending one may be tried.
        lease: the claim of the gateway that tries it, and `lease_ends_at` the end of the claim.
    """

    job_id: str
    owner: str | None
    url: str
    deliveries: tuple[EventDelivery, ...]
    next_at: Moment
    lease: str | None = None
    lease_ends_at: Moment | None = None

    @property
    def pending(self) -> EventDelivery | None:
        """The next one to try."""
        return next((each for each in self.deliveries if each.status == "pending"), None)

    @property
    def due_at(self) -> datetime | None:
        """When a gateway may claim the job; None if nothing is pending."""
        if self.pending is None:
            return None
        return max(self.next_at, self.lease_ends_at or self.next_at)


def with_event(
    known: JobDeliveries | None, record: JobRecord, event: Event, moment: datetime, traceparent: str | None = None
) -> JobDeliveries | None:
    """The deliveries with one for a new event; None if the event is known, or older than the last one."""
    assert record.webhook is not None
    new = EventDelivery(event=event, traceparent=traceparent)
    if known is None:
        return JobDeliveries(
            job_id=record.job_id, owner=record.owner, url=record.webhook.url, deliveries=(new,), next_at=moment
        )
    if known.deliveries and known.deliveries[-1].event.seq >= event.seq:
        return None
    next_at = moment if known.pending is None else known.next_at
    return replace(known, deliveries=(*known.deliveries, new), next_at=next_at)


def claimed(known: JobDeliveries, lease: str, moment: datetime) -> JobDeliveries | None:
    """The claim of the job for one attempt; None if it is not due."""
    if known.due_at is None or known.due_at > moment:
        return None
    return replace(known, lease=lease, lease_ends_at=moment + timedelta(seconds=LEASE))


def tried(
    known: JobDeliveries, lease: str, seq: int, outcome: Outcome, moment: datetime, first_pause: float
) -> JobDeliveries | None:
    """The deliveries after an attempt at that of the event `seq`; None if another gateway has claimed them since.

    If the next delivery can follow at once, the claim goes on.
    """
    if known.lease != lease:
        return None
    tried_one = next(each for each in known.deliveries if each.event.seq == seq)
    after = _after(tried_one, outcome, moment)
    deliveries = tuple(after if each is tried_one else each for each in known.deliveries)
    if after.status == "pending":
        pause = timedelta(seconds=first_pause * GROWTH ** (after.attempts - 1))
        return replace(known, deliveries=deliveries, next_at=moment + pause, lease=None, lease_ends_at=None)
    changed = replace(known, deliveries=deliveries, next_at=moment)
    if changed.pending is None:
        return replace(changed, lease=None, lease_ends_at=None)
    return replace(changed, lease_ends_at=moment + timedelta(seconds=LEASE))


def _after(delivery: EventDelivery, outcome: Outcome, moment: datetime) -> EventDelivery:
    attempts = delivery.attempts + 1
    status: DeliveryStatus = "pending"
    if outcome.is_success:
        status = "delivered"
    elif attempts >= MAX_ATTEMPTS or outcome.http_status == GONE:
        status = "failed"
    return replace(delivery, status=status, attempts=attempts, tried_at=moment, last=outcome)


def sent_again(known: JobDeliveries, seq: int | None, moment: datetime) -> JobDeliveries | None:
    """The deliveries with that of the event `seq`, or all failed ones, pending once more; None if there is none."""
    wanted = [each for each in known.deliveries if each.event.seq == seq or (seq is None and each.status == "failed")]
    if not wanted:
        return None
    again = tuple(replace(each, status="pending", attempts=0) if each in wanted else each for each in known.deliveries)
    return replace(known, deliveries=again, next_at=moment)


def webhook_id(job_id: str, seq: int) -> str:
    """The id of an event's webhook, the same for every attempt: receivers recognise repetitions by it."""
    return f"msg_{job_id}_{seq}"
