"""Delivers what is due. Of several gateways, the one that wins the claim of a job makes its attempt."""

import asyncio
import secrets
from collections import Counter
from functools import partial

from gateway import metrics
from gateway.webhooks.addresses import AddressPolicy
from gateway.webhooks.deliveries import JobDeliveries, Outcome, claimed, tried
from gateway.webhooks.delivery_store import DeliveryStore
from gateway.webhooks.secrets import WebhookSecrets
from gateway.webhooks.sender import PER_HOST, Sender, open_sender
from shared.errors import UnavailableError
from shared.lifecycle import end
from shared.logs import get_logger
from shared.tracing import trace_id_of

log = get_logger(__name__)

# Attempts at the same time. One receiver gets at most PER_HOST of them, so that a slow one does not delay the others.
AT_ONCE = 64
# Seconds after which a job is looked at again whose receiver has its share, or that could not be claimed.
POSTPONED = 0.2
# Seconds between two looks while nothing is due.
LOOK_INTERVAL = 1.0


class Dispatcher:
    """Makes attempts until cancelled.

    Args:
        store: the deliveries.
        signing: the secrets.
        policy: the addresses that may be reached.
        first_pause: seconds before the second attempt.
    """

    def __init__(
        self, store: DeliveryStore, signing: WebhookSecrets, policy: AddressPolicy, first_pause: float
    ) -> None:
        self._store = store
        self._signing = signing
        self._policy = policy
        self._first_pause = first_pause
        self._running: dict[asyncio.Task[None], str] = {}

    async def run(self) -> None:
        """Start an attempt for each job that is due, as far as there is room."""
        try:
            async with open_sender(self._signing, self._policy) as sender:
                while True:
                    self._store.news.clear()
                    self._start_due(sender)
                    await self._wait()
        finally:
            await end(self._running)

    def _start_due(self, sender: Sender) -> None:
        shares = Counter(self._running.values())
        for job_id in self._store.take_due(AT_ONCE - len(self._running)):
            host = self._store.host(job_id)
            if shares[host] >= PER_HOST:
                self._store.postpone(job_id, POSTPONED)
                continue
            shares[host] += 1
            task = asyncio.create_task(self._deliver(sender, job_id))
            self._running[task] = host
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._store.news.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("delivery failed", exc_info=error)

    async def _wait(self) -> None:
        due = self._store.seconds_until_due()
        if len(self._running) >= AT_ONCE:
            due = None  # `_ended` wakes
        try:
            async with asyncio.timeout(LOOK_INTERVAL if due is None else min(max(due, 0.01), LOOK_INTERVAL)):
                await self._store.news.wait()
        except TimeoutError:
            metrics.PENDING_WEBHOOKS.set(self._store.count_pending())

    async def _deliver(self, sender: Sender, job_id: str) -> None:
        """Claim the job, and deliver in order until an attempt fails or nothing is pending."""
        lease = secrets.token_hex(8)
        try:
            found = await self._store.change(job_id, partial(self._claimed, lease))
            while found and found.value.lease == lease and (delivery := found.value.pending):
                outcome = await sender.send(found.value, delivery)
                seq = delivery.event.seq
                log.info(
                    "webhook",
                    job_id=job_id,
                    seq=seq,
                    status=outcome.http_status,
                    error=outcome.error,
                    trace_id=trace_id_of(delivery.traceparent),
                )
                metrics.webhook(delivered=outcome.is_success)
                found = await self._store.change(job_id, partial(self._tried, lease, seq, outcome), found)
        except UnavailableError as error:
            log.info("webhook is sent later", job_id=job_id, error=str(error))
            self._store.postpone(job_id, POSTPONED)

    def _claimed(self, lease: str, known: JobDeliveries | None) -> JobDeliveries | None:
        return claimed(known, lease, self._store.now()) if known else None

    def _tried(self, lease: str, seq: int, outcome: Outcome, known: JobDeliveries | None) -> JobDeliveries | None:
        return tried(known, lease, seq, outcome, self._store.now(), self._first_pause) if known else None
