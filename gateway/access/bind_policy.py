"""Bind policy: without API keys, the gateway listens on loopback and accepts only its own host names."""

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
    """Refuse to expose an unauthenticated gateway to the network by accident.

    Raises:
        SettingsError: if GATEWAY_HOST is not a loopback address, there are no API keys, and GATEWAY_ALLOW_OPEN is off.
    """
    host = settings.gateway_host
    if keys or is_loopback(host):
        return
    if not settings.gateway_allow_open:
        raise SettingsError(
            f"GATEWAY_HOST is {host}, and without API_KEYS everyone on the network could use the gateway. Set API_KEYS "
            "or API_KEYS_FILE; or listen on 127.0.0.1; or, if a proxy or firewall controls access, set "
            "GATEWAY_ALLOW_OPEN=1."
        )
    log.warning(
        "THIS GATEWAY IS OPEN: every client on the network can use it and see all jobs. Set API_KEYS to require keys.",
        host=host,
    )


def check_host_header(host: str, settings: Settings, *, keyed: bool) -> None:
    """Refuse a request whose `Host` header names another host, to prevent DNS rebinding.

    In a DNS rebinding attack, a malicious site points its own name at the gateway. The browser then treats the gateway
    as that site, so neither the same-origin policy nor the WebSocket origin check stops the site's scripts. The request
    carries the site's name, never an address, so addresses are allowed. It also carries no API key: a gateway with keys
    checks names only if GATEWAY_HOSTNAMES is set.

    Args:
        host: the `Host` header; empty if missing.
        settings: the gateway's settings.
        keyed: whether the gateway requires API keys.

    Raises:
        Problem: 403 that says how to allow the name.
    """
    allowed = settings.hostnames
    if "*" in allowed or (keyed and not allowed):
        return
    name = _parse_host(host)
    if name in allowed | {"localhost", _without_dot(settings.gateway_host)} or _is_address(name):
        return
    raise Problem(
        HTTPStatus.FORBIDDEN,
        f"This gateway does not accept the host name {name[:253]!r}. To allow it, add it to GATEWAY_HOSTNAMES."
        if name
        else "The Host header is missing or malformed. Send the gateway's name or address.",
    )


# A name, an IPv4 address, or an IPv6 address in brackets; then optionally a port.
_HOST_HEADER = re.compile(r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d{0,5})?", re.ASCII)


def _parse_host(host: str) -> str:
    """The normalised name or address in a Host header; empty if malformed."""
    match = _HOST_HEADER.fullmatch(host)
    return _without_dot(match[1].strip("[]")) if match else ""


def _without_dot(name: str) -> str:
    """In lower case, without the trailing dot of a fully qualified name."""
    return name.lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether an address is loopback. Host names other than localhost count as non-loopback."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
