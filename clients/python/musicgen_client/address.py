"""Finds the gateway: its URL and the API key, given or from the environment."""

import os

from yarl import URL

from musicgen_client.errors import ClientError

DEFAULT_URL = "http://127.0.0.1:8000"
URL_VARIABLE = "MUSICGEN_URL"
KEY_VARIABLE = "MUSICGEN_API_KEY"


def gateway_origin(url: str | None = None) -> str:
    """The origin of the gateway: `url`, else MUSICGEN_URL, else the default port of this machine.

    Raises:
        ClientError: if it is not a scheme, a host and a port only. The text does not show a password.
    """
    named = url or os.environ.get(URL_VARIABLE) or DEFAULT_URL
    try:
        parsed = URL(named)
        is_origin = parsed.scheme in ("http", "https") and parsed == parsed.origin().with_path("/")
        (parsed.raw_host or "").encode("idna")  # as the host lookup does; raises for a..b
    except ValueError:
        is_origin = False
    if not is_origin or not named.isprintable() or " " in named:
        shown = named.rsplit("@", 1)[-1]  # without the password
        raise ClientError(
            f"{shown!r} is not a gateway URL. Give scheme, host and port only, such as {DEFAULT_URL}; "
            f"set an API key in {KEY_VARIABLE}."
        )
    return str(parsed.origin())


def authorization(key: str | None = None) -> dict[str, str]:
    """The header with the API key: `key`, else MUSICGEN_API_KEY; none if neither is set.

    Raises:
        ClientError: if the key cannot be in a header. The text does not show it.
    """
    found = os.environ.get(KEY_VARIABLE, "") if key is None else key
    if not (found.isascii() and found.isprintable()) or " " in found:
        raise ClientError(
            f"{KEY_VARIABLE} contains a character that is invalid in an API key. Set it to the key alone."
        )
    return {"Authorization": f"Bearer {found}"} if found else {}
