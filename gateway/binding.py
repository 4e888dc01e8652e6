"""Where the gateway listens, and who may come then: everyone on this machine, but not everyone who reaches it."""

import ipaddress
from http import HTTPStatus
from urllib.parse import urlsplit

from gateway.keys import ApiKeys
from gateway.problems import Problem
from shared.errors import SettingsError
from shared.logs import get_logger
from shared.settings import Settings

log = get_logger(__name__)


def check_binding(settings: Settings, keys: ApiKeys) -> None:
    """Refuse to be open to others by accident.

    Raises:
        SettingsError: if others reach the gateway, no key is asked for, and nobody said that this is meant.
    """
    host = settings.gateway_host
    if keys or is_loopback(host):
        return
    if not settings.gateway_allow_open:
        raise SettingsError(
            f"GATEWAY_HOST is {host}, and without API_KEYS everyone who reaches it could use it. Set API_KEYS or "
            "API_KEYS_FILE; or listen on 127.0.0.1; or, if something in front decides who comes, set "
            "GATEWAY_ALLOW_OPEN=1."
        )
    log.warning(
        "THIS GATEWAY IS OPEN: whoever reaches it may use it, and sees every job. API_KEYS would ask who they are.",
        host=host,
    )


def check_name(host: str, settings: Settings) -> None:
    """Refuse a request to an open gateway under a name that is not this machine's.

    A page of another site may have its own name lead here, and its browser would take the gateway for that site
    (DNS rebinding): then neither the same-origin policy nor the check of a WebSocket's origin holds it off.

    Raises:
        Problem: 403 that says how to serve under another name.
    """
    if settings.gateway_allow_open or is_loopback(_hostname(host)):
        return
    raise Problem(
        HTTPStatus.FORBIDDEN,
        "Without API keys this gateway answers to localhost and 127.0.0.1 only. To serve under another name set "
        "API_KEYS, or GATEWAY_ALLOW_OPEN=1 if something in front decides who comes.",
    )


def _hostname(host: str) -> str:
    """The name in a Host header, without its port; empty if it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address. Of a name other than localhost nobody knows."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
