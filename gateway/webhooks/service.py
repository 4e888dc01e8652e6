"""All parts of webhooks, put together. They are off until WEBHOOK_SECRETS has a secret."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from http import HTTPStatus

from msgspec import UNSET, UnsetType

from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.problems import FieldError, Problem, invalid, unknown_job
from gateway.webhooks.addresses import AddressPolicy, check_webhook_url, parse_networks
from gateway.webhooks.deliveries import EventDelivery, JobDeliveries, sent_again
from gateway.webhooks.delivery_store import DeliveryStore
from gateway.webhooks.dispatcher import Dispatcher
from gateway.webhooks.event_reader import EventReader
from gateway.webhooks.secrets import WebhookSecrets
from shared.bus import Bus
from shared.errors import SettingsError
from shared.job_id import is_job_id
from shared.messages import TERMINAL, JobStatus
from shared.settings import Settings
from shared.webhook import DeliveryStatus, Webhook

OFF = "Webhooks are off for this API key: WEBHOOK_SECRETS has no secret for it. Ask the operator of this gateway."

# A delivery, and the job's deliveries that it is one of.
Found = tuple[JobDeliveries, EventDelivery]


class Webhooks:
    """Accepts, lists and repeats webhooks; `tasks` deliver them."""

    def __init__(
        self, settings: Settings, secrets: WebhookSecrets, bus: Bus, index: JobIndex, record_store: RecordStore
    ) -> None:
        self._secrets = secrets
        self._policy = make_policy(settings)
        self._store = DeliveryStore(bus, settings.nats_replicas, index.broker_time)
        self._reader = EventReader(bus, index, record_store, self._store)
        self._dispatcher = Dispatcher(self._store, secrets, self._policy, settings.webhook_first_pause)

    @property
    def tasks(self) -> Sequence[Callable[[], Awaitable[None]]]:
        """The background tasks; none while webhooks are off."""
        return (self._store.run, self._reader.run, self._dispatcher.run) if self._secrets else ()

    def target(
        self, owner: str | None, url: str | UnsetType, events: Sequence[JobStatus] | UnsetType
    ) -> Webhook | None:
        """The webhook of a request; None if it names none.

        Raises:
            Problem: 422 if it names events without a URL, if the URL may not be called, or if webhooks are off.
        """
        if url is UNSET:
            if events is not UNSET:
                raise invalid(FieldError("webhook_events", "Give a webhook, too, or leave it out."))
            return None
        if not self._secrets.has(owner):
            raise invalid(FieldError("webhook", OFF))
        check_webhook_url(url, self._policy)
        wanted = events or tuple(each for each in JobStatus if each in TERMINAL)
        return Webhook(url=url, events=tuple(each.value for each in JobStatus if each in wanted))

    async def list_deliveries(
        self, owner: str | None, job_id: str | None, status: DeliveryStatus | None, limit: int
    ) -> list[Found]:
        """Deliveries of the owner's jobs: the job changed last first, and of a job the newest event first.

        Raises:
            Problem: 404 while webhooks are off.
            UnavailableError: while NATS is away.
        """
        self._require()
        found: list[Found] = []
        for each, known in self._store.newest(owner):
            may_fit = status != "pending" or known.due_at is not None
            may_fit = may_fit and (status != "failed" or known.has_failed) and job_id in (None, each)
            stored = await self._store.read(each) if may_fit else None
            if stored is not None:
                deliveries = reversed(stored.value.deliveries)
                found += [(stored.value, one) for one in deliveries if status in (None, one.status)]
            if len(found) >= limit:
                break
        return found[:limit]

    async def send_again(self, owner: str | None, job_id: str, seq: int | None) -> JobDeliveries:
        """Deliver an event of a job again, or all that failed.

        Raises:
            Problem: 404 if the owner's job has no deliveries, or while webhooks are off; 409 if none fits.
            UnavailableError: while NATS is away.
        """
        self._require()
        stored = await self._store.read(job_id) if is_job_id(job_id) else None
        if stored is None or owner not in (None, stored.value.owner):
            raise unknown_job(job_id)
        changed = await self._store.change(job_id, partial(self._sent_again, seq), stored)
        if changed is None:
            message = (
                "No delivery of this job has failed." if seq is None else f"No delivery of this job has seq {seq}."
            )
            raise Problem(HTTPStatus.CONFLICT, f"{message} GET /api/v1/webhooks/deliveries?job_id={job_id} lists them.")
        return changed.value

    def _sent_again(self, seq: int | None, known: JobDeliveries | None) -> JobDeliveries | None:
        return sent_again(known, seq, self._store.now()) if known else None

    def _require(self) -> None:
        if not self._secrets:
            raise Problem(HTTPStatus.NOT_FOUND, OFF)


def make_policy(settings: Settings) -> AddressPolicy:
    """The addresses that webhooks may reach.

    Raises:
        SettingsError: if WEBHOOK_ALLOWED_NETWORKS has no network.
    """
    try:
        return AddressPolicy(parse_networks(settings.webhook_allowed_networks))
    except ValueError as error:
        raise SettingsError(f"WEBHOOK_ALLOWED_NETWORKS must be networks such as 10.1.0.0/16: {error}.") from error
