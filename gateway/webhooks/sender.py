"""Sends one webhook: signed, to an address that is allowed, without following redirects, in a bounded time."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import msgspec
from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver
from opentelemetry.trace import SpanKind
from yarl import URL

from gateway.webhooks.addresses import NOT_PUBLIC, AddressPolicy, AddressRefusedError
from gateway.webhooks.deliveries import EventDelivery, JobDeliveries, Outcome, webhook_id
from gateway.webhooks.secrets import WebhookSecrets
from shared import tracing
from shared.messages import Event, encode
from shared.subjects import TRACEPARENT
from shared.version import SERVICE, VERSION

# Seconds of one attempt, from the lookup of the host to the head of the answer.
TIMEOUT = 15.0
# Connections to one receiver.
PER_HOST = 8
_USER_AGENT = f"{SERVICE.replace(' ', '-')}/{VERSION}"


class WebhookBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a webhook.

    Attributes:
        type: `job.` and the type of the event.
        timestamp: when it happened.
        data: the event, as WebSocket clients get it.
    """

    type: str
    timestamp: str
    data: Event


class Sender:
    """Makes attempts.

    Args:
        secrets: that sign.
        sessions: by the scheme of the URL.
    """

    def __init__(self, secrets: WebhookSecrets, sessions: dict[str, ClientSession]) -> None:
        self._secrets = secrets
        self._sessions = sessions

    async def send(self, target: JobDeliveries, delivery: EventDelivery) -> Outcome:
        """Try once, within a span that continues the event's trace. The body of the answer is not read."""
        attributes: dict[str, str | int] = {
            "http.request.method": "POST",
            "server.address": URL(target.url).host or "",
            "http.request.resend_count": delivery.attempts,
            "musicgen.job.id": target.job_id,
        }
        with tracing.remote_span("POST webhook", SpanKind.CLIENT, delivery.traceparent, attributes) as span:
            outcome = await self._send(target, delivery)
            if outcome.http_status is not None:
                span.set_attribute("http.response.status_code", outcome.http_status)
            if not outcome.is_success:
                tracing.failed(str(outcome.http_status or "no_answer"), outcome.error or "")
            return outcome

    async def _send(self, target: JobDeliveries, delivery: EventDelivery) -> Outcome:
        if not self._secrets.has(target.owner):
            return Outcome(error="WEBHOOK_SECRETS has no secret for the API key of this job any more.")
        body = webhook_body(delivery.event)
        scheme = target.url.partition(":")[0].lower()
        try:
            async with (
                asyncio.timeout(TIMEOUT),
                self._sessions[scheme].post(
                    target.url, data=body, headers=self._headers(target, delivery, body), allow_redirects=False
                ) as response,
            ):
                return Outcome(http_status=response.status)
        except TimeoutError:
            return Outcome(error=f"The receiver did not answer within {TIMEOUT:g} seconds.")
        except (ClientError, OSError, ValueError) as error:
            return Outcome(error=_reason(error))

    def _headers(self, target: JobDeliveries, delivery: EventDelivery, body: bytes) -> dict[str, str]:
        identity, timestamp = webhook_id(target.job_id, delivery.event.seq), int(time.time())
        traceparent = tracing.current_traceparent() or delivery.traceparent
        trace = {} if traceparent is None else {TRACEPARENT: traceparent}
        return trace | {
            "Content-Type": "application/json",
            "User-Agent": _USER_AGENT,
            "webhook-id": identity,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": self._secrets.sign(target.owner, identity, timestamp, body),
        }


def webhook_body(event: Event) -> bytes:
    """The JSON of an event's webhook."""
    happened = event.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return encode(WebhookBody(type=f"job.{event.type}", timestamp=happened, data=event))


def _reason(error: Exception) -> str:
    """What the client may know: nothing about addresses, or webhooks would explore the gateway's network."""
    if isinstance(getattr(error, "os_error", None), AddressRefusedError):
        return NOT_PUBLIC
    if isinstance(error, ClientConnectorError):
        return "The receiver cannot be reached. Check its name, port and certificate."
    return "The receiver broke off, or did not answer with HTTP."


@asynccontextmanager
async def open_sender(
    secrets: WebhookSecrets, policy: AddressPolicy, resolver: AbstractResolver | None = None
) -> AsyncIterator[Sender]:
    """A sender whose connections obey the policy.

    Args:
        secrets: that sign.
        policy: the addresses that may be dialled.
        resolver: of host names; None is the system's.
    """

    def session(*, encrypted: bool) -> ClientSession:
        connector = TCPConnector(
            limit=0,
            limit_per_host=PER_HOST,
            resolver=resolver,
            socket_factory=partial(policy.open_socket, encrypted=encrypted),
        )
        timeout = ClientTimeout(total=TIMEOUT)
        # No proxy of the environment, no cookies: nothing but the request itself.
        return ClientSession(
            connector=connector, timeout=timeout, cookie_jar=DummyCookieJar(), auto_decompress=False, trust_env=False
        )

    async with session(encrypted=True) as https, session(encrypted=False) as http:
        yield Sender(secrets, {"https": https, "http": http})
