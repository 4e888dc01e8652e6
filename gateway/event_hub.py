"""Passes events from NATS on to the WebSocket clients that asked for their jobs."""

from collections import defaultdict

import msgspec
from nats.aio.msg import Msg

from gateway import event_log
from gateway.jobs import Jobs
from gateway.outbox import Outbox
from shared.bus import Bus
from shared.errors import UnavailableError
from shared.logs import get_logger
from shared.messages import Event, event_of

log = get_logger(__name__)

_decode = msgspec.json.Decoder(Event).decode
_encode = msgspec.json.Encoder().encode


class Subscription:
    """One client's interest in one job. `last_seq` is the newest event that it was given."""

    def __init__(self, job_id: str, outbox: Outbox) -> None:
        self.job_id = job_id
        self.outbox = outbox
        self.last_seq = 0
        self._held: list[tuple[Event, bytes]] | None = None

    def hold(self) -> None:
        """Keep live events back while older ones are fetched."""
        self._held = []

    def release(self) -> None:
        """Give out what was held back, and from now on every event as it comes."""
        held, self._held = self._held or [], None
        for event, frame in held:
            self.deliver(event, frame)

    def deliver(self, event: Event, frame: bytes) -> None:
        """Give the client an event that is newer than what it has."""
        if self._held is not None:
            self._held.append((event, frame))
        elif event.seq > self.last_seq:
            self.send(event, frame)

    def send(self, event: Event, frame: bytes) -> None:
        """Give the client an event in any case."""
        self.last_seq = max(self.last_seq, event.seq)
        self.outbox.put(frame, event.job_id if event.type == "progress" else None)


class EventHub:
    """All subscriptions of this gateway. `on_message` is fed by one NATS subscription to every event."""

    def __init__(self, bus: Bus, jobs: Jobs) -> None:
        self._bus = bus
        self._jobs = jobs
        self._by_job: defaultdict[str, set[Subscription]] = defaultdict(set)

    async def on_message(self, message: Msg) -> None:
        """Pass an event on. Without a listener it costs a dictionary look-up."""
        job_id = message.subject.split(".")[2]
        listeners = self._by_job.get(job_id)
        if not listeners:
            return
        try:
            event = _decode(message.data)
        except msgspec.MsgspecError as error:
            log.warning("not an event", subject=message.subject, error=str(error))
            return
        for subscription in listeners:
            subscription.deliver(event, message.data)

    async def subscribe(self, job_id: str, outbox: Outbox, after_seq: int | None) -> Subscription | None:
        """Send the job's present state, then its events. With `after_seq`, the lifecycle events since then come first.

        Returns None if there is no such job.

        Raises:
            UnavailableError: if NATS is away.
        """
        subscription = Subscription(job_id, outbox)
        subscription.hold()
        # Listening comes before reading: an event in between is held, not missed.
        self._by_job[job_id].add(subscription)
        try:
            found = await self._catch_up(subscription, after_seq)
        except UnavailableError:
            self.unsubscribe(subscription)
            raise
        if not found:
            self.unsubscribe(subscription)
            return None
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop; doing it again is fine."""
        listeners = self._by_job.get(subscription.job_id)
        if listeners is not None:
            listeners.discard(subscription)
            if not listeners:
                del self._by_job[subscription.job_id]

    async def resume(self) -> None:
        """After NATS was away: bring every subscription up to date."""
        for subscription in [each for listeners in self._by_job.values() for each in listeners]:
            subscription.hold()
            await self._catch_up(subscription, subscription.last_seq)

    async def _catch_up(self, subscription: Subscription, after_seq: int | None) -> bool:
        job_id = subscription.job_id
        if after_seq is not None:
            subscription.last_seq = after_seq
            for frame in await event_log.lifecycle_events(self._bus.js, job_id):
                event = _decode(frame)
                if event.seq > subscription.last_seq:
                    subscription.send(event, frame)
        entry = await self._jobs.current(job_id)
        if entry is None:
            return False
        state = event_of(entry.record, entry.revision)
        if after_seq is None or state.seq != subscription.last_seq or state.seq == after_seq:
            subscription.send(state, _encode(state))
        subscription.release()
        return True
