"""Which URLs and addresses webhooks may reach: public ones, and networks that the operator allows.

The check of the address is made where the socket is opened, on the address that is then dialled. So neither a name that
resolves to a private address nor one that changes its address afterwards (DNS rebinding) gets through.
"""

import ipaddress
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from aiohappyeyeballs import AddrInfoType
from yarl import URL

from gateway.problems import FieldError, invalid

MAX_URL = 2048
Networks = tuple[IPv4Network | IPv6Network, ...]
# Everything else is reserved, embeds an IPv4 address, or belongs to one machine or site (RFC 4291, section 2.4).
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NOT_GLOBAL = (IPv6Network("2002::/16"), IPv6Network("3fff::/20"))  # 6to4, documentation
NOT_PUBLIC = "The host has no public address. Webhooks go to public addresses only, and to WEBHOOK_ALLOWED_NETWORKS."


class AddressRefusedError(OSError):
    """The address of the receiver is not public."""


class AddressPolicy:
    """Which addresses may be dialled.

    Args:
        allowed: networks that may be reached although they are not public.
    """

    def __init__(self, allowed: Networks) -> None:
        self.allowed = allowed

    def allows(self, address: str, *, encrypted: bool) -> bool:
        """Whether webhooks may go to `address`. Without TLS they stay within the allowed networks."""
        found = ipaddress.ip_address(address.partition("%")[0])
        return any(found in network for network in self.allowed) or (encrypted and is_public(found))

    def open_socket(self, info: AddrInfoType, *, encrypted: bool) -> socket.socket:
        """The socket for a connection to this address.

        Raises:
            AddressRefusedError: if webhooks may not go there.
        """
        family, kind, protocol, _, (address, *_) = info
        if not self.allows(str(address), encrypted=encrypted):
            raise AddressRefusedError(NOT_PUBLIC)
        return socket.socket(family, kind, protocol)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is one of the public internet: not loopback, private, link-local, multicast or reserved."""
    if isinstance(address, IPv6Address):
        is_global_unicast = address in _GLOBAL_UNICAST and not any(address in network for network in _NOT_GLOBAL)
        return is_global_unicast and address.is_global
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def check_webhook_url(text: str, policy: AddressPolicy) -> str:
    """The URL, if a webhook may name it. The host is resolved at each delivery, not here.

    Raises:
        Problem: 422 with the reason.
    """
    url = _parse(text)
    if url is None or url.scheme not in ("https", "http") or not url.host:
        raise _wrong("A URL such as https://studio.example.com/hooks.")
    if url.user is not None or url.password is not None or url.fragment:
        raise _wrong("A URL without a password and without a fragment.")
    if url.scheme == "http" and not policy.allowed:
        raise _wrong("A URL with https.")
    try:
        is_allowed = policy.allows(url.host, encrypted=url.scheme == "https")
    except ValueError:
        return text  # a name
    if not is_allowed:
        raise _wrong(NOT_PUBLIC)
    return text


def _parse(text: str) -> URL | None:
    if len(text) > MAX_URL or not (text.isascii() and text.isprintable()) or " " in text or "\\" in text:
        return None
    try:
        url = URL(text)
        return url if url.port else None
    except ValueError:
        return None


def _wrong(message: str) -> Exception:
    return invalid(FieldError("webhook", message))


def parse_networks(text: str) -> Networks:
    """The networks of WEBHOOK_ALLOWED_NETWORKS. Raises: ValueError if one is none."""
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
