"""Live audio of jobs, from the stream MUSIC_AUDIO to one WebSocket client."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from gateway.index.job_index import JobIndex
from gateway.live.outbox import AudioFrame, Outbox
from shared import subjects
from shared.audio_chunk import unpack_chunk
from shared.bus import AWAY, Bus
from shared.errors import UnavailableError
from shared.lifecycle import end
from shared.logs import get_logger

log = get_logger(__name__)

# Jobs whose audio one connection may receive at a time.
MAX_AUDIO_SUBSCRIPTIONS = 32
# Seconds between retries while NATS or the stream is away.
RETRY_DELAY = 0.5
# Seconds without audio after which the subscription to a finished job ends: the last chunk may still be in flight.
IDLE_TIMEOUT = 2.0
# Seconds after which the broker removes the consumer of a crashed gateway.
INACTIVE_THRESHOLD = 10.0


class AudioSubscription:
    """One client's subscription to one job: the chunks of the latest attempt in the stream, then new ones.

    Backpressure: the next chunk is fetched once the outbox has accepted the previous one, so a slow client's audio
    waits in the stream. The consumer lives as long as the subscription, which ends with the job.
    """

    def __init__(self, bus: Bus, index: JobIndex, job_id: str, outbox: Outbox) -> None:
        self._bus = bus
        self._index = index
        self._job_id = job_id
        self._outbox = outbox
        self._created: datetime | None = None
        self._position = 0
        self._stopped = False
        record = index.record(job_id)
        self._attempt = record.attempts if record else 0
        self._task = asyncio.create_task(self._run())

    @property
    def has_ended(self) -> bool:
        """Whether no more audio will follow."""
        return self._stopped or self._task.done()

    def stop(self) -> None:
        """Stop sending at once, and drop queued audio."""
        self._stopped = True  # nats-py may swallow the cancellation
        self._task.cancel()
        self._outbox.drop_audio(self._job_id)

    async def close(self) -> None:
        """Stop, and wait until the consumer is deleted."""
        self.stop()
        await end((self._task,))

    async def _run(self) -> None:
        while not self._stopped:
            try:
                await self._consume(self._bus.require())
            except (UnavailableError, nats.js.errors.APIError, *AWAY) as error:
                log.debug("retrying the audio subscription", job_id=self._job_id, error=repr(error))
                await asyncio.sleep(RETRY_DELAY)
            else:
                return

    async def _consume(self, js: JetStreamContext) -> None:
        await self._reset_if_recreated(js)
        async with _consumer(js, self._job_id, self._position) as consumer:
            while not self._stopped:
                message = await self._fetch(consumer)
                if message is not None:
                    await self._forward(message)
                elif self._job_has_ended():
                    return

    async def _reset_if_recreated(self, js: JetStreamContext) -> None:
        """Start at position 0 in a recreated stream: its sequence numbers start at 1 again."""
        created = (await js.stream_info(subjects.AUDIO_STREAM)).created
        if created != self._created:
            self._created, self._position = created, 0

    async def _fetch(self, consumer: JetStreamContext.PullSubscription) -> Msg | None:
        self._bus.require()
        try:
            (message,) = await consumer.fetch(1, timeout=IDLE_TIMEOUT)
        except TimeoutError:
            return None
        return message

    async def _forward(self, message: Msg) -> None:
        """Queue a chunk unchanged. Malformed chunks and those of earlier attempts are skipped."""
        self._position = message.metadata.sequence.stream
        try:
            header, _ = unpack_chunk(message.data)
        except ValueError as error:
            log.warning("malformed audio chunk", job_id=self._job_id, error=str(error))
            return
        if header.job_id == self._job_id and header.attempt >= self._attempt and not self._stopped:
            await self._outbox.put_audio(AudioFrame(self._job_id, message.data))

    def _job_has_ended(self) -> bool:
        record = self._index.record(self._job_id)
        return record is None or record.status.is_terminal


class AudioSubscriptions:
    """The audio subscriptions of one connection, by job. At most MAX_AUDIO_SUBSCRIPTIONS run."""

    def __init__(self, bus: Bus, index: JobIndex, outbox: Outbox) -> None:
        self._bus = bus
        self._index = index
        self._outbox = outbox
        self._subscriptions: dict[str, AudioSubscription] = {}

    def running(self) -> list[str]:
        """The jobs whose subscriptions have not ended."""
        return [job_id for job_id, subscription in self._subscriptions.items() if not subscription.has_ended]

    def start(self, job_id: str) -> bool:
        """Subscribe to a job from its beginning. Returns False at the limit."""
        if len(self.running()) >= MAX_AUDIO_SUBSCRIPTIONS:
            return False
        self._subscriptions[job_id] = AudioSubscription(self._bus, self._index, job_id, self._outbox)
        return True

    def stop(self) -> list[str]:
        """Stop all subscriptions at once. Returns their jobs."""
        stopped = self.running()
        for job_id in stopped:
            self._subscriptions[job_id].stop()
        return stopped

    async def close(self, job_id: str | None = None) -> None:
        """End the subscription to one job, or all of them, and wait until the consumers are deleted."""
        closing = [subscription for key, subscription in self._subscriptions.items() if job_id in (None, key)]
        await asyncio.gather(*(subscription.close() for subscription in closing))
        for key in [job_id] if job_id else list(self._subscriptions):
            self._subscriptions.pop(key, None)


@asynccontextmanager
async def _consumer(
    js: JetStreamContext, job_id: str, position: int
) -> AsyncIterator[JetStreamContext.PullSubscription]:
    """An ephemeral consumer of the job's audio after `position` in the stream."""
    name = f"listener-{secrets.token_hex(8)}"
    config = ConsumerConfig(
        name=name,
        filter_subject=subjects.audio_subject(job_id),
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=position + 1,
        ack_policy=AckPolicy.NONE,
        mem_storage=True,
        inactive_threshold=INACTIVE_THRESHOLD,
    )
    subscription: JetStreamContext.PullSubscription | None = None
    try:
        await js.add_consumer(subjects.AUDIO_STREAM, config)
        subscription = await js.pull_subscribe_bind(consumer=name, stream=subjects.AUDIO_STREAM)
        yield subscription
    finally:
        # If the broker does not answer, it removes the inactive consumer later.
        with suppress(nats.errors.Error, ConnectionError):
            if subscription is not None:
                await subscription.unsubscribe()
            await js.delete_consumer(subjects.AUDIO_STREAM, name)
