"""Parsing NATS_URL, and the login for each server."""

from typing import Any

import pytest
from nats.aio.client import Client, Srv

from shared.errors import SettingsError
from shared.nats_servers import Login, parse_servers

ONE, TWO = "nats://gateway:first@one:4222", "nats://gateway:second@two:4222"


def login_at(text: str, netloc: str) -> dict[str, Any]:
    """The login that a client configured with `text` sends to the server at `netloc`."""
    client = Client()
    options = parse_servers(text).connect_options(client)
    client._current_server = Srv(Client._parse_server_uri(f"nats://{netloc}"))
    return {name: options[name]() for name in ("user", "password", "token") if name in options}


def test_a_single_url_is_one_server() -> None:
    servers = parse_servers("nats://127.0.0.1:4222")
    assert servers.urls == ("nats://127.0.0.1:4222",)
    assert (servers.logins, servers.inbox_prefix) == ({}, "_INBOX")
    assert set(servers.connect_options(Client())) == {"servers", "inbox_prefix", "tls_handshake_first"}


@pytest.mark.parametrize(
    "text", [f"{ONE},{TWO}", f" {ONE} ,\n{TWO} ", f",{ONE},,{TWO},", f"{ONE},{TWO},{ONE}", f"{ONE},{TWO}/"]
)
def test_spaces_empty_parts_and_duplicates_are_ignored(text: str) -> None:
    servers = parse_servers(text)
    assert servers.urls == ("nats://one:4222", "nats://two:4222")
    assert servers.logins == {"one:4222": Login("gateway", "first"), "two:4222": Login("gateway", "second")}


def test_discovered_servers_use_the_first_login() -> None:
    text = f"{ONE},{TWO}"
    assert login_at(text, "one:4222") == {"user": "gateway", "password": "first"}
    assert login_at(text, "two:4222") == {"user": "gateway", "password": "second"}
    assert login_at(text, "10.0.0.7:4222") == {"user": "gateway", "password": "first"}


def test_a_server_without_a_login_uses_the_first_one() -> None:
    assert login_at(f"nats://one:4222,{TWO}", "one:4222") == {"user": "gateway", "password": "second"}


def test_passwords_are_percent_decoded() -> None:
    text = "nats://gateway:p%40s%2Cs%2Fw%C3%B6rd@one:4222"
    assert login_at(text, "one:4222") == {"user": "gateway", "password": "p@s,s/wörd"}


def test_a_name_without_a_password_is_a_token() -> None:
    assert login_at("nats://t0ken@one:4222", "two:4222") == {"token": "t0ken"}


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("nats://one", "nats://one:4222"),
        ("nats://One:4222", "nats://one:4222"),
        ("nats://gateway:pw@[::1]:4300", "nats://[::1]:4300"),
        ("nats://gateway:pw@[fe80::1%25eth0]", "nats://[fe80::1%25eth0]:4222"),
        ("nats://music_nats_1:4222", "nats://music_nats_1:4222"),
    ],
)
def test_hosts_may_be_names_and_addresses(url: str, server: str) -> None:
    assert parse_servers(url).urls == (server,)


def test_tls_starts_before_the_server_greeting() -> None:
    servers = parse_servers("tls://gateway:pw@one:4222,tls://gateway:pw@two:4222")
    assert servers.connect_options(Client())["tls_handshake_first"] is True


@pytest.mark.parametrize(
    ("user", "prefix"),
    [
        ("gateway", "_INBOX_gateway"),
        ("worker", "_INBOX_worker"),
        ("worker-2", "_INBOX_worker"),
        ("workers", "_INBOX"),
        ("x", "_INBOX"),
    ],
)
def test_each_role_has_its_inbox_prefix(user: str, prefix: str) -> None:
    text = f"nats://{user}:first@one,nats://{user}:second@two"
    assert parse_servers(text).connect_options(Client())["inbox_prefix"] == prefix


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (",", "must be nats://"),
        ("nats://", "must be nats://"),
        ("nats://:S3CRET@one:4222", "must be nats://"),
        ("nats://gateway:S3CRET@one:4222,nats://gateway:S3CRET@", "Server 2 of 2 is wrong"),
        ("nats://gateway:S3CRET@one:4222,nats://gateway:S3CRET@two:port", "Server 2 of 2 is wrong"),
        ("nats://gateway:S3CRET@one:4222/path", "must be nats://"),
        ("nats://gateway:S3CRET", "must be nats://"),
        ("nats://gateway:S3CRET one", "must be nats://"),
        ("nats://gateway:S3CRET@one:0", "must be nats://"),
        ("nats://gateway:S3,CRET@one:4222", "a comma as %2C"),
        ("nats://gateway:S3CRET@one:4222,tls://gateway:S3CRET@two:4222", "mixes nats:// and tls://"),
        ("nats://gateway:S3CRET@one:4222,nats://gateway:0ther@one:4222", "names one:4222 twice"),
        ("nats://gateway:S3CRET@one:4222,nats://worker:S3CRET@two:4222", "same user"),
        ("nats://gateway:S3CRET@one:4222,nats://S3CRET@two:4222", "token"),
    ],
)
def test_a_rejected_url_does_not_show_its_password(text: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_servers(text)
    message = str(caught.value)
    assert message.startswith("NATS_URL ")
    assert words in message
    assert not any(part in message for part in ("S3", "CRET", "0ther"))
