"""Server-side request forgery: every way in is refused, at the request or where the socket is opened."""

import ipaddress
import socket

import pytest

from gateway.problems import Problem
from gateway.webhooks.addresses import AddressPolicy, AddressRefusedError, check_webhook_url, is_public, parse_networks

STRICT = AddressPolicy(())
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",  # carrier-grade NAT
    "100.100.100.200",  # a cloud's metadata
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",  # most clouds' metadata
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",  # IPv4-compatible
    "::ffff:127.0.0.1",  # IPv4-mapped
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
    "64:ff9b:1::1",
    "100::1",
    "2001::1",  # Teredo
    "2001:db8::1",
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",  # a cloud's metadata
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450::1"]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_socket_is_opened_to_an_address_that_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    target = (address, 443, 0, 0) if ":" in address else (address, 443)
    with pytest.raises(AddressRefusedError):
        STRICT.open_socket((family, socket.SOCK_STREAM, 0, "", target), encrypted=True)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached_with_tls_only(address: str) -> None:
    assert STRICT.allows(address, encrypted=True)
    assert not STRICT.allows(address, encrypted=False)


def test_an_allowed_network_is_reached_also_without_tls() -> None:
    policy = AddressPolicy(parse_networks("10.1.0.0/16, fd00::/8"))
    assert policy.allows("10.1.2.3", encrypted=False)
    assert policy.allows("fd00::1%eth0", encrypted=False)
    for other in ("10.2.0.1", "127.0.0.1", "::1", "::ffff:10.1.2.3", "169.254.169.254"):
        assert not policy.allows(other, encrypted=True)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "studio.example.com",
        "//studio.example.com/",
        "https://",
        "https:///path",
        "https://:443/",
        "http://studio.example.com/",
        "ftp://studio.example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "javascript:alert(1)",
        "unix:/run/docker.sock",
        "https://user:password@studio.example.com/",
        "https://user@studio.example.com/",
        "https://studio.example.com@127.0.0.1/",
        "https://studio.example.com/#fragment",
        "https://studio.example.com:0/",
        "https://studio.example.com:99999/",
        "https://studio.example.com/a b",
        "https://studio.example.com/\r\nX-Injected: 1",
        "https://studio.example.com\\@127.0.0.1/",
        "https://bücher.example/",
        f"https://studio.example.com/{'x' * 2048}",
        *(f"https://{f'[{address}]' if ':' in address else address}/" for address in NOT_PUBLIC),
    ],
)
def test_a_url_that_may_not_be_called_is_refused_with_the_request(url: str) -> None:
    with pytest.raises(Problem) as refused:
        check_webhook_url(url, STRICT)
    assert refused.value.status == 422
    assert refused.value.errors[0].field == "webhook"


@pytest.mark.parametrize(
    "url",
    [
        "https://studio.example.com/hooks?token=1",
        "HTTPS://Studio.Example.com:8443/",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]/",
        # Names, as far as can be told without a lookup: what they resolve to is refused where the socket is opened.
        "https://localhost/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://metadata.google.internal/",
    ],
)
def test_names_and_public_addresses_are_accepted(url: str) -> None:
    assert check_webhook_url(url, STRICT) == url
