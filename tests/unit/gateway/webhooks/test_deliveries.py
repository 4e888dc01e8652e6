"""The deliveries of one job: order, claims, pauses and ends."""

from datetime import datetime, timedelta

import pytest

from gateway.webhooks.deliveries import (
    LEASE,
    MAX_ATTEMPTS,
    JobDeliveries,
    Outcome,
    claimed,
    sent_again,
    tried,
    with_event,
)
from shared.messages import event_of
from shared.webhook import Webhook
from tests.unit.gateway.samples import NOON, record

RECORD = record(1, owner="daw", webhook=Webhook(url="https://x.example/", events=("queued", "completed")))
OK, BAD = Outcome(http_status=204), Outcome(http_status=500)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def of(*numbers: int) -> JobDeliveries:
    found: JobDeliveries | None = None
    for number in numbers:
        found = with_event(found, RECORD, event_of(RECORD, number), NOON) or found
    assert found is not None
    return found


def statuses(of_job: JobDeliveries) -> list[str]:
    return [each.status for each in of_job.deliveries]


def claim(of_job: JobDeliveries, moment: datetime, lease: str = "a") -> JobDeliveries:
    found = claimed(of_job, lease, moment)
    assert found is not None
    return found


def after(of_job: JobDeliveries, seq: int, outcome: Outcome, moment: datetime, lease: str = "a") -> JobDeliveries:
    found = tried(of_job, lease, seq, outcome, moment, 5.0)
    assert found is not None
    return found


def test_events_are_delivered_in_order_and_known_ones_are_ignored() -> None:
    job = of(3, 5, 5, 4, 9)
    assert [each.event.seq for each in job.deliveries] == [3, 5, 9]
    job = claim(job, NOON)
    for seq in (3, 5, 9):
        assert job.pending is not None
        assert job.pending.event.seq == seq
        job = after(job, seq, OK, at(1))
    assert (statuses(job), job.due_at, job.lease) == (["delivered"] * 3, None, None)


def test_a_failed_attempt_delays_all_that_follow() -> None:
    job = after(claim(of(3, 5), NOON), 3, BAD, at(1))
    assert (statuses(job), job.due_at) == (["pending", "pending"], at(6))
    assert claimed(job, "a", at(5.9)) is None
    assert job.pending is not None
    assert (job.pending.event.seq, job.pending.attempts, job.pending.last) == (3, 1, BAD)


def test_pauses_grow_over_hours_until_the_delivery_is_given_up_and_the_next_follows() -> None:
    job, moment, pauses = of(3, 5), NOON, []
    while statuses(job)[0] == "pending":
        job = after(claim(job, moment), 3, BAD, moment)
        pauses.append((job.next_at - moment).total_seconds())
        moment = job.next_at
    assert len(pauses) == MAX_ATTEMPTS
    assert pauses[:4] == [5, 15, 45, 135]
    assert 12 * 3600 < sum(pauses) < 24 * 3600
    assert (statuses(job), job.pending and job.pending.event.seq) == (["failed", "pending"], 5)


def test_gone_ends_the_delivery_at_once() -> None:
    assert statuses(after(claim(of(3), NOON), 3, Outcome(http_status=410), NOON)) == ["failed"]


def test_only_one_gateway_holds_a_claim_and_a_dead_one_loses_it() -> None:
    job = claim(of(3), NOON, "a")
    assert claimed(job, "b", at(1)) is None
    taken = claim(job, at(LEASE), "b")
    assert tried(taken, "a", 3, OK, at(LEASE), 5.0) is None
    assert statuses(after(taken, 3, OK, at(LEASE), "b")) == ["delivered"]


def test_an_event_that_arrives_during_an_attempt_does_not_end_the_claim() -> None:
    job = claim(of(3), NOON)
    both = with_event(job, RECORD, event_of(RECORD, 5), at(1))
    assert both is not None
    assert claimed(both, "b", at(2)) is None
    assert statuses(after(both, 3, OK, at(2))) == ["delivered", "pending"]


@pytest.mark.parametrize(("seq", "again"), [(None, ["pending", "delivered"]), (5, ["failed", "pending"])])
def test_failed_deliveries_or_a_chosen_one_are_sent_again(seq: int | None, again: list[str]) -> None:
    job = after(claim(of(3, 5), NOON), 3, Outcome(http_status=410), NOON)
    job = after(job, 5, OK, NOON)
    assert statuses(job) == ["failed", "delivered"]
    resent = sent_again(job, seq, at(10))
    assert resent is not None
    assert (statuses(resent), resent.due_at, resent.pending and resent.pending.attempts) == (again, at(10), 0)
    assert sent_again(job, 99, at(10)) is None
    assert sent_again(of(3), None, at(10)) is None
