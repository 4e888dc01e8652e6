"""Forwards events from NATS to the WebSocket clients that subscribed to their jobs."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from gateway.jobs.job_service import JobService
from gateway.live.messages import ErrorMessage
from gateway.live.outbox import Outbox
from shared import subjects
from shared.bus import AWAY, Bus
from shared.errors import UnavailableError
from shared.logs import get_logger
from shared.messages import LIFECYCLE, UNDECODABLE, Event, encode, event_of

log = get_logger(__name__)

# Seconds between attempts to catch up while NATS is away.
RETRY_DELAY = 0.5
REPLAY_BATCH = 64

_decode = msgspec.json.Decoder(Event).decode


class EventSubscription:
    """One client's subscription to one job's events.

    Attributes:
        viewer: the name of the client's API key.
        after_seq: replay the stored lifecycle events after this one first; None for no replay.
        last_seq: the newest event queued for the client.
    """

    def __init__(self, job_id: str, outbox: Outbox, after_seq: int | None = None, viewer: str | None = None) -> None:
        self.job_id = job_id
        self.viewer = viewer
        self.outbox = outbox
        self.after_seq = after_seq
        self.last_seq = after_seq or 0
        self._held: list[tuple[Event, bytes]] | None = None

    def hold(self) -> None:
        """Hold live events back while older ones are replayed."""
        self._held = []

    def release(self) -> None:
        """Deliver the events held back, and from now on deliver events as they arrive."""
        held, self._held = self._held or [], None
        for event, frame in held:
            self.deliver(event, frame)

    def deliver(self, event: Event, frame: bytes) -> None:
        """Queue a live event unless the client already has it or a newer one."""
        if self._held is not None:
            self._held.append((event, frame))
        elif event.seq > self.last_seq:
            self.send(event, frame)

    def send(self, event: Event, frame: bytes) -> None:
        """Queue an event unconditionally."""
        self.last_seq = max(self.last_seq, event.seq)
        self.outbox.put(frame, event.job_id if event.type == "progress" else None)


class EventHub:
    """All event subscriptions of this gateway. One NATS subscription to all events calls `on_message`."""

    def __init__(self, bus: Bus, jobs: JobService) -> None:
        self._bus = bus
        self._jobs = jobs
        self._by_job: defaultdict[str, set[EventSubscription]] = defaultdict(set)
        self._lagging: set[EventSubscription] = set()
        self._wake = asyncio.Event()

    async def on_message(self, message: Msg) -> None:
        """Forward an event to its subscribers. Without any, this costs one dictionary lookup."""
        job_id = message.subject.split(".")[2]
        subscriptions = self._by_job.get(job_id)
        if not subscriptions:
            return
        for event, frame in decode_events([message.data]):
            for subscription in subscriptions:
                subscription.deliver(event, frame)

    async def subscribe(
        self, job_id: str, outbox: Outbox, after_seq: int | None, viewer: str | None = None
    ) -> EventSubscription | None:
        """Send the job's current state, then its events. With `after_seq`, first replay its later lifecycle events.

        While NATS is away, everything is sent after the reconnect. Returns None, after an error message, if the job
        does not exist or `viewer` may not see it.
        """
        subscription = EventSubscription(job_id, outbox, after_seq, viewer)
        subscription.hold()
        # Subscribe before reading the record: an event in between is held, not missed.
        self._by_job[job_id].add(subscription)
        try:
            return subscription if await self._catch_up(subscription) else None
        except BaseException:
            self.unsubscribe(subscription)  # if the client disconnects here, the caller never gets the subscription
            raise

    def unsubscribe(self, subscription: EventSubscription) -> None:
        """End a subscription; idempotent."""
        self._lagging.discard(subscription)
        subscriptions = self._by_job.get(subscription.job_id)
        if subscriptions is not None:
            subscriptions.discard(subscription)
            if not subscriptions:
                del self._by_job[subscription.job_id]

    async def on_connect(self) -> None:
        """Catch up after a reconnect: every subscription may have missed events."""
        for subscription in [each for subscriptions in self._by_job.values() for each in subscriptions]:
            if subscription not in self._lagging:
                subscription.after_seq = subscription.last_seq
                subscription.hold()
                self._lagging.add(subscription)
        self._wake.set()

    async def run(self) -> None:
        """Bring lagging subscriptions up to date, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            for subscription in list(self._lagging):
                self._lagging.discard(subscription)
                await self._catch_up(subscription)
            if self._lagging:
                await asyncio.sleep(RETRY_DELAY)
                self._wake.set()

    async def _catch_up(self, subscription: EventSubscription) -> bool:
        """Send missed events, or retry later if NATS is away. Returns False if the job does not exist."""
        try:
            found = await self._replay(subscription)
        except UnavailableError as error:
            log.info("subscription waits for NATS", job_id=subscription.job_id, error=str(error))
            self._lagging.add(subscription)
            self._wake.set()
            return True
        if not found:
            self.unsubscribe(subscription)
            subscription.outbox.put(encode(ErrorMessage("There is no such job.", subscription.job_id)))
        return found

    async def _replay(self, subscription: EventSubscription) -> bool:
        job_id, viewer, after_seq = subscription.job_id, subscription.viewer, subscription.after_seq
        if after_seq is not None:
            if await self._jobs.fetch(job_id, viewer) is None:
                return False  # checked before any event is sent
            for event, frame in decode_events(await lifecycle_events(self._bus.require(), job_id)):
                if event.seq > (subscription.after_seq or 0):
                    subscription.send(event, frame)
                    subscription.after_seq = event.seq
        entry = await self._jobs.fetch(job_id, viewer)
        if entry is None:
            return False
        state = event_of(entry.record, entry.revision)
        # Send the state unless the replay just sent it. A client that already had the latest event gets it again.
        if after_seq is None or state.seq != subscription.last_seq or state.seq == after_seq:
            subscription.send(state, encode(state))
        # If the client asked for events after a number not reached yet, it still gets the next ones.
        subscription.last_seq = state.seq
        subscription.release()
        return True


def decode_events(frames: Iterable[bytes]) -> Iterator[tuple[Event, bytes]]:
    """Decode events; skip malformed messages."""
    for frame in frames:
        try:
            yield _decode(frame), frame
        except UNDECODABLE as error:
            log.warning("malformed event", error=str(error))


async def lifecycle_events(js: JetStreamContext, job_id: str) -> list[bytes]:
    """The stored lifecycle events of a job, oldest first, as published.

    Raises:
        UnavailableError: if the broker does not answer.
    """
    try:
        return [message.data for message in await _read_stream(js, job_id)]
    except (nats.js.errors.APIError, *AWAY) as error:
        raise UnavailableError(f"The events of {job_id} cannot be read: {error!r}") from error


async def _read_stream(js: JetStreamContext, job_id: str) -> list[Msg]:
    config = ConsumerConfig(
        filter_subjects=[subjects.event_subject(job_id, kind) for kind in LIFECYCLE],
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.NONE,
        mem_storage=True,
        inactive_threshold=10.0,
    )
    consumer = await js.add_consumer(subjects.EVENTS_STREAM, config)
    expected = consumer.num_pending or 0
    subscription = await js.pull_subscribe_bind(consumer=consumer.name, stream=subjects.EVENTS_STREAM)
    try:
        messages: list[Msg] = []
        while len(messages) < expected:
            messages += await subscription.fetch(min(REPLAY_BATCH, expected - len(messages)), timeout=2)
        return messages
    finally:
        await subscription.unsubscribe()
        await js.delete_consumer(subjects.EVENTS_STREAM, consumer.name)
