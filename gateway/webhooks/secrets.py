"""The secrets that sign webhooks, after Standard Webhooks.

Specification: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Collection

from shared.errors import SettingsError
from shared.settings import Settings

PREFIX = "whsec_"
# Bytes of a secret, by the specification.
SHORTEST, LONGEST = 24, 64
# Two for a name, so that a secret can be replaced without a failed verification.
MOST = 2
# The name under which a gateway without API keys finds its secret.
OPEN_NAME = "default"


class WebhookSecrets:
    """The secrets by the name of the API key whose jobs they sign."""

    def __init__(self, secrets: dict[str, list[bytes]]) -> None:
        self._secrets = secrets

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def has(self, owner: str | None) -> bool:
        """Whether jobs of this owner may have webhooks; None is the owner on a gateway without keys."""
        return self._name(owner) in self._secrets

    def sign(self, owner: str | None, webhook_id: str, timestamp: int, body: bytes) -> str:
        """The value of the header webhook-signature: one signature for each secret of the owner."""
        signed = f"{webhook_id}.{timestamp}.".encode() + body
        digests = [hmac.digest(secret, signed, hashlib.sha256) for secret in self._secrets[self._name(owner)]]
        return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)

    def _name(self, owner: str | None) -> str:
        return OPEN_NAME if owner is None else owner


def load_webhook_secrets(settings: Settings, names: Collection[str]) -> WebhookSecrets:
    """The secrets of WEBHOOK_SECRETS.

    Args:
        settings: the gateway's.
        names: of the API keys.

    Raises:
        SettingsError: if they are invalid. The message never contains a secret.
    """
    secrets: defaultdict[str, list[bytes]] = defaultdict(list)
    for pair in [part.strip() for part in settings.webhook_secrets.split(",") if part.strip()]:
        name, _, text = pair.partition(":")
        known = names or [OPEN_NAME]
        if name not in known:
            raise SettingsError(
                "WEBHOOK_SECRETS must be NAME:whsec_… pairs, with the names of API_KEYS, or without API keys with the "
                f"name {OPEN_NAME}. One has another name."
            )
        secrets[name].append(_secret(name, text))
        if len(secrets[name]) > MOST:
            raise SettingsError(f"WEBHOOK_SECRETS has more than {MOST} secrets for {name}. Remove the oldest.")
    return WebhookSecrets(dict(secrets))


def _secret(name: str, text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    if not (text.startswith(PREFIX) and SHORTEST <= len(secret) <= LONGEST):
        raise SettingsError(
            f"WEBHOOK_SECRETS: the secret of {name} must be {PREFIX} and {SHORTEST} to {LONGEST} bytes in base64. "
            f'`echo "{PREFIX}$(openssl rand -base64 32)"` makes one.'
        )
    return secret
