"""Where the gateway listens, and who may come then: everyone on this machine, but not everyone who reaches it."""

import ipaddress

from gateway.keys import ApiKeys
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
