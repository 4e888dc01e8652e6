"""Verifies webhooks after the Standard Webhooks specification (standardwebhooks.com)."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from musicgen_client.errors import WebhookError

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of every secret
# Seconds by which a webhook's time may differ from this clock. An older one may be a replay.
TOLERANCE = 300.0


def verify_webhook(
    body: bytes, headers: Mapping[str, str], *secrets: str, tolerance: float = TOLERANCE, now: float | None = None
) -> Any:
    """Return the JSON of a webhook that was signed with one of the secrets.

    Args:
        body: of the request, exactly as received.
        headers: of the request, in any case.
        *secrets: `whsec_…`; two while the old one is being replaced.
        tolerance: seconds by which the webhook's time may differ from `now`.
        now: in seconds since 1970; None is this clock.

    Raises:
        WebhookError: if the webhook is unsigned, altered, too old, or signed with another secret.
        ValueError: if there is no secret, or one is malformed.
    """
    keys = [_key(secret) for secret in secrets]
    if not keys:
        raise ValueError("Give at least one secret.")
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        webhook_id, sent, signatures = (lower[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        age = abs((time.time() if now is None else now) - int(sent))
    except (KeyError, ValueError) as error:
        raise WebhookError("The request has no valid webhook-id, webhook-timestamp and webhook-signature.") from error
    if age > tolerance:
        raise WebhookError(f"The webhook's time differs from this clock by {age:.0f} s. Check the clock.")
    signed = f"{webhook_id}.{sent}.".encode() + body
    expected = [b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)) for key in keys]
    given = [each.encode() for each in signatures.split()]
    if not any(hmac.compare_digest(right, each) for right in expected for each in given):
        raise WebhookError("No signature of the webhook fits the secret.")
    return json.loads(body)


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("A webhook's secret is base64, with the prefix whsec_.") from error
