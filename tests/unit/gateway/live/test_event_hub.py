"""Delivery of events to subscribers."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.live.event_hub import EventHub, EventSubscription
from gateway.live.outbox import TOTAL_LIMIT, Outbox
from gateway.memory_budget import MemoryBudget
from gateway.services import Services
from shared.messages import Event, EventType, JobStatus, event_of
from shared.subjects import event_subject
from tests.unit.gateway.samples import job_id, message, record

JOB = job_id(1)


def event(seq: int, kind: EventType = "processing") -> Event:
    return event_of(record(1, status=JobStatus.PROCESSING), seq, kind)


def deliver(to: EventSubscription, *events: Event) -> None:
    for each in events:
        to.deliver(each, msgspec.json.encode(each))


async def sent(outbox: Outbox) -> list[int]:
    """Empty the outbox and return the sequence numbers of its events."""
    outbox.put(b"end")
    numbers = []
    while (frame := await outbox.get()) != b"end":
        assert isinstance(frame, bytes)
        numbers.append(msgspec.json.decode(frame, type=Event).seq)
    return numbers


async def test_events_reach_the_client_in_order() -> None:
    outbox = Outbox(MemoryBudget(TOTAL_LIMIT))
    deliver(EventSubscription(JOB, outbox), event(1), event(2), event(5))
    assert await sent(outbox) == [1, 2, 5]


async def test_repeated_and_late_events_are_dropped() -> None:
    outbox = Outbox(MemoryBudget(TOTAL_LIMIT))
    deliver(EventSubscription(JOB, outbox), event(2), event(2), event(1), event(3), event(2))
    assert await sent(outbox) == [2, 3]


async def test_live_events_are_held_during_a_replay() -> None:
    outbox = Outbox(MemoryBudget(TOTAL_LIMIT))
    subscription = EventSubscription(JOB, outbox)
    subscription.hold()
    deliver(subscription, event(3), event(4))
    older = event(2)
    subscription.send(older, msgspec.json.encode(older))
    subscription.release()
    deliver(subscription, event(5))
    assert await sent(outbox) == [2, 3, 4, 5]


async def test_held_events_are_not_repeated_after_a_replay() -> None:
    outbox = Outbox(MemoryBudget(TOTAL_LIMIT))
    subscription = EventSubscription(JOB, outbox)
    subscription.hold()
    deliver(subscription, event(3), event(4))
    for each in (event(3), event(4)):
        subscription.send(each, msgspec.json.encode(each))
    subscription.release()
    assert await sent(outbox) == [3, 4]


async def test_release_without_hold_has_no_effect() -> None:
    outbox = Outbox(MemoryBudget(TOTAL_LIMIT))
    subscription = EventSubscription(JOB, outbox)
    subscription.release()
    deliver(subscription, event(1))
    assert await sent(outbox) == [1]


async def test_queued_progress_is_coalesced_but_lifecycle_events_are_not() -> None:
    outbox = Outbox(MemoryBudget(TOTAL_LIMIT))
    deliver(EventSubscription(JOB, outbox), event(1), event(2, "progress"), event(3, "progress"), event(4, "completed"))
    assert await sent(outbox) == [1, 3, 4]


@given(st.lists(st.integers(1, 20)), st.lists(st.integers(1, 20)), st.lists(st.integers(1, 20)))
def test_sequence_numbers_always_increase(first: list[int], held: list[int], last: list[int]) -> None:
    async def run() -> list[int]:
        outbox = Outbox(MemoryBudget(TOTAL_LIMIT))
        subscription = EventSubscription(JOB, outbox)
        deliver(subscription, *map(event, first))
        subscription.hold()
        deliver(subscription, *map(event, held))
        subscription.release()
        deliver(subscription, *map(event, last))
        return await sent(outbox)

    numbers = asyncio.run(run())
    assert numbers == sorted(set(numbers))
    assert max(numbers, default=0) == max([*first, *held, *last], default=0)


@pytest.mark.parametrize("data", [b"", b"nonsense", b"{}", b'{"type": "song"}', b"[" * 100_000])
async def test_a_malformed_event_is_skipped(services: Services, data: bytes) -> None:
    outbox = Outbox(MemoryBudget(TOTAL_LIMIT))
    hub = EventHub(services.bus, services.jobs)
    hub._by_job[JOB].add(EventSubscription(JOB, outbox))
    await hub.on_message(message(event_subject(JOB, "processing"), data))
    await hub.on_message(message(event_subject(JOB, "processing"), event(1)))
    assert await sent(outbox) == [1]


async def test_an_event_reaches_exactly_the_subscribers_of_its_job(services: Services) -> None:
    hub = EventHub(services.bus, services.jobs)
    first, second, other = (
        Outbox(MemoryBudget(TOTAL_LIMIT)),
        Outbox(MemoryBudget(TOTAL_LIMIT)),
        Outbox(MemoryBudget(TOTAL_LIMIT)),
    )
    for job, outbox in ((JOB, first), (JOB, second), (job_id(2), other)):
        hub._by_job[job].add(EventSubscription(job, outbox))
    await hub.on_message(message(event_subject(JOB, "processing"), event(1)))
    assert [await sent(outbox) for outbox in (first, second, other)] == [[1], [1], []]


async def test_unsubscribe_is_idempotent_and_frees_everything(services: Services) -> None:
    hub = EventHub(services.bus, services.jobs)
    subscription = EventSubscription(JOB, Outbox(MemoryBudget(TOTAL_LIMIT)))
    hub._by_job[JOB].add(subscription)
    for _ in range(2):
        hub.unsubscribe(subscription)
        assert not hub._by_job


async def test_a_subscription_made_while_nats_is_away_waits(services: Services) -> None:
    subscription = await services.hub.subscribe(JOB, Outbox(MemoryBudget(TOTAL_LIMIT)), None)
    assert subscription is not None
    assert subscription in services.hub._lagging
    services.hub.unsubscribe(subscription)
    assert not services.hub._lagging
    assert not services.hub._by_job


@pytest.mark.parametrize("wrong", ["", "gen_1", "../etc", "gen_*", ">"])
async def test_a_malformed_job_id_is_refused_without_a_lookup(services: Services, wrong: str) -> None:
    assert await services.hub.subscribe(wrong, Outbox(MemoryBudget(TOTAL_LIMIT)), None) is None
    assert not services.hub._by_job
