"""Turns lifecycle events into deliveries. All gateways share one durable consumer of MUSIC_EVENTS.

The consumer hands out one event at a time, so that deliveries are stored in the order of the events, whichever gateway
stores them.
"""

import asyncio
from contextlib import suppress
from functools import partial

import msgspec
import nats.errors
import nats.js.errors
from nats.aio.msg import Msg

from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.webhooks.deliveries import JobDeliveries, with_event
from gateway.webhooks.delivery_store import DeliveryStore
from shared import subjects
from shared.bus import AWAY, Bus
from shared.errors import DamagedRecordError, UnavailableError
from shared.logs import get_logger
from shared.messages import UNDECODABLE, Event, JobRecord
from shared.topology import ensure_webhook_consumer

log = get_logger(__name__)

RETRY_DELAY = 0.5
# Seconds of a pull, and between idle heartbeats meanwhile.
PULL, HEARTBEAT = 5.0, 1.0
# Deliveries of an event whose record is damaged, a second apart: a gateway repairs it meanwhile, or it has no webhook.
PATIENCE = 5

_decode = msgspec.json.Decoder(Event).decode


class EventReader:
    """Reads events until cancelled."""

    def __init__(self, bus: Bus, index: JobIndex, record_store: RecordStore, store: DeliveryStore) -> None:
        self._bus = bus
        self._index = index
        self._record_store = record_store
        self._store = store

    async def run(self) -> None:
        """Read events; while NATS is away, wait."""
        while True:
            try:
                await self._read()
            except (UnavailableError, nats.js.errors.APIError, *AWAY) as error:
                log.debug("events for webhooks are read later", error=repr(error))
                await asyncio.sleep(RETRY_DELAY)

    async def _read(self) -> None:
        js = self._bus.require()
        await ensure_webhook_consumer(js)
        pulls = await js.pull_subscribe_bind(consumer=subjects.WEBHOOKS_CONSUMER, stream=subjects.EVENTS_STREAM)
        try:
            while True:
                self._bus.require()
                try:
                    (message,) = await pulls.fetch(1, timeout=PULL, heartbeat=HEARTBEAT)
                except nats.js.errors.FetchTimeoutError:
                    continue
                await self._take(message)
        finally:
            with suppress(nats.errors.Error, ConnectionError):
                await pulls.unsubscribe()

    async def _take(self, message: Msg) -> None:
        """Store a delivery if the event's job has a webhook for it, then acknowledge. A repetition changes nothing."""
        try:
            event = _decode(message.data)
            record = await self._record(event.job_id)
        except UNDECODABLE as error:
            log.warning("malformed event", error=str(error))
        except DamagedRecordError:
            if message.metadata.num_delivered < PATIENCE:
                await message.nak(delay=1)
                return
        else:
            if record and record.webhook and event.type in record.webhook.events:
                traceparent = (message.headers or {}).get(subjects.TRACEPARENT)
                await self._store.change(event.job_id, partial(self._with_event, record, event, traceparent))
        await message.ack()

    async def _record(self, job_id: str) -> JobRecord | None:
        if record := self._index.record(job_id):
            return record
        entry = await self._record_store.fetch(job_id)
        return entry.record if entry else None

    def _with_event(
        self, record: JobRecord, event: Event, traceparent: str | None, known: JobDeliveries | None
    ) -> JobDeliveries | None:
        return with_event(known, record, event, self._store.now(), traceparent)
