"""`NATS_URL`: one server or the servers of a cluster, and the login for each."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from nats.aio.client import Client

from shared.errors import SettingsError

FORM = "nats:// or tls:// URLs such as nats://127.0.0.1:4222, with commas between the servers of a cluster"
DEFAULT_PORT = 4222

# Roles in nats.conf that may subscribe only to their own inbox prefix, so that they cannot read others' replies.
# A user is named like its role; `gateway-2` is a second user of the role `gateway`.
ROLES = ("gateway", "worker")

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9a-fA-F:.]+(%[A-Za-z0-9._-]+)?")


class Login(NamedTuple):
    """A user name and password; without a password, `user` is a token."""

    user: str
    password: str | None


class NatsServers(NamedTuple):
    """The servers to connect to.

    Attributes:
        urls: one per server, without user and password.
        logins: by `host:port`, for servers whose URL contains one.
        inbox_prefix: the subject prefix for replies to this user.
    """

    urls: tuple[str, ...]
    logins: dict[str, Login]
    inbox_prefix: str

    def login(self, netloc: str) -> Login | None:
        """The login for the server at `netloc`. Servers discovered through the cluster use the first login."""
        return self.logins.get(netloc) or next(iter(self.logins.values()), None)

    def connect_options(self, client: Client) -> dict[str, Any]:
        """Arguments of `client.connect` for these servers and the ones that they advertise."""
        options: dict[str, Any] = {
            "servers": list(self.urls),
            "inbox_prefix": self.inbox_prefix,
            # By default the client waits for the server's plain-text INFO, which says whether to use TLS. An attacker
            # in the middle could change it and read the password.
            "tls_handshake_first": self.urls[0].startswith("tls://"),
        }
        if not self.logins:
            return options

        def login() -> Login:
            server = client._current_server
            found = self.login(server.uri.netloc if server else "")
            assert found is not None
            return found

        # nats-py calls these at each connection. Credentials in URLs would not apply to discovered servers.
        asked: dict[str, Callable[[], str]] = {"user": lambda: login().user, "password": lambda: login().password or ""}
        if all(each.password is None for each in self.logins.values()):
            asked = {"token": lambda: login().user}
        return options | asked

    def __str__(self) -> str:
        return ", ".join(url.partition("://")[2] for url in self.urls)


def parse_servers(text: str) -> NatsServers:
    """Parse `NATS_URL`. Spaces around commas, empty parts and repeated servers are ignored.

    Raises:
        SettingsError: names the wrong server, without its password.
    """
    servers: dict[str, SplitResult] = {}
    logins: dict[str, Login] = {}
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for number, part in enumerate(parts, 1):
        url = _split(part)
        if url is None:
            raise SettingsError(_complaint(text, number, len(parts)))
        netloc = _netloc(url)
        login = Login(unquote(url.username), _unquoted(url.password)) if url.username else None
        if netloc in servers and login != logins.get(netloc):
            raise SettingsError(f"NATS_URL names {netloc} twice with different logins. Keep the right one.")
        servers[netloc] = url
        if login:
            logins[netloc] = login
    if not servers:
        raise SettingsError(f"NATS_URL must be {FORM}.")
    return NatsServers(_one_kind(servers), logins, _one_prefix(logins))


def _split(part: str) -> SplitResult | None:
    """The parts of a server's URL, or None if it is not one."""
    try:
        url = urlsplit(part)
        port = url.port
    except ValueError:
        return None
    is_plain = url.path in ("", "/") and not url.query and not url.fragment and not re.search(r"\s", part)
    is_server = url.scheme in ("nats", "tls") and _HOST.fullmatch(url.hostname or "") and port != 0
    return url if is_plain and is_server and not (url.password and not url.username) else None


def _netloc(url: SplitResult) -> str:
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return f"{host}:{url.port or DEFAULT_PORT}"


def _unquoted(text: str | None) -> str | None:
    return None if text is None else unquote(text)


def _one_kind(servers: dict[str, SplitResult]) -> tuple[str, ...]:
    if len({url.scheme for url in servers.values()}) > 1:
        raise SettingsError("NATS_URL mixes nats:// and tls://. Use tls:// for all servers, or for none.")
    return tuple(f"{url.scheme}://{netloc}" for netloc, url in servers.items())


def _one_prefix(logins: dict[str, Login]) -> str:
    if len({login.password is None for login in logins.values()}) > 1:
        raise SettingsError("NATS_URL has a token for one server and a password for another. Use one kind for all.")
    roles = {login.user.partition("-")[0] for login in logins.values()}
    prefixes = {f"_INBOX_{role}" if role in ROLES else "_INBOX" for role in roles}
    if len(prefixes) > 1:
        raise SettingsError("NATS_URL logs in with different roles. Use the same user for all servers.")
    return prefixes.pop() if prefixes else "_INBOX"


def _complaint(text: str, number: int, count: int) -> str:
    which = f" Server {number} of {count} is wrong." if count > 1 else ""
    hint = " In a password, write @ as %40, a comma as %2C, / as %2F, and so on." if "@" in text else ""
    return f"NATS_URL must be {FORM}, not {_shown(text)!r}.{which}{hint}"


def _shown(text: str) -> str:
    """`text` without possible passwords: parts before an @ and non-numeric ports."""
    without_logins = re.sub(r"(?s)//.*@", "//…@", text)
    return re.sub(r":(?!//|\d*(?=[,/\s\]:]|$))[^,\s]*", ":…", without_logins)
