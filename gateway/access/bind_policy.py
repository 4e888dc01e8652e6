"""Bind policy: without API keys the gateway listens on loopback, and answers to names of its own only."""

import ipaddress
import re
from http import HTTPStatus

from gateway.access.api_keys import ApiKeys
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


def check_host_header(host: str, settings: Settings, *, keyed: bool) -> None:
    """Refuse a request whose `Host` is a name that is not the gateway's.

    A page of another site may have its own name lead here (DNS rebinding). Its browser then takes the gateway for that
    site, and neither the same-origin policy nor the check of a WebSocket's origin stops the page. Such a request has
    the page's own name in it, never an address, so addresses are allowed. Nor does it bring an API key: where keys are
    needed, names are checked only if GATEWAY_HOSTNAMES lists some.

    Args:
        host: the header, empty if there is none.
        settings: of the gateway.
        keyed: whether the gateway asks for API keys.

    Raises:
        Problem: 403 that says how to serve under this name.
    """
    allowed = settings.hostnames
    if "*" in allowed or (keyed and not allowed):
        return
    name = _parse_host(host)
    if name in allowed | {"localhost", _without_dot(settings.gateway_host)} or _is_address(name):
        return
    raise Problem(
        HTTPStatus.FORBIDDEN,
        f"This gateway does not answer to the name {name[:253]!r}. To serve under it, add it to GATEWAY_HOSTNAMES."
        if name
        else "The Host header is missing or malformed. Send the name or the address of the gateway in it.",
    )


# A name or an IPv4 address, or an IPv6 address in brackets; then perhaps a port.
_HOST_HEADER = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d{0,5})?", re.ASCII)


def _parse_host(host: str) -> str:
    """The name or the address in a Host header, as it is compared; empty if it is malformed."""
    match = _HOST_HEADER.fullmatch(host)
    return _without_dot(match[1].strip("[]")) if match else ""


def _without_dot(name: str) -> str:
    """Lower case, and without the dot that may end a complete name."""
    return name.lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


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
