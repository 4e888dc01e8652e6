"""What the client commands share: where the gateway is, and its errors in words."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from yarl import URL

from deploy.stack.credentials import API_KEY_VARIABLE, bearer
from deploy.stack.data_folder import default_data_dir, find_process, read_run_file
from shared.errors import MusicgenError

DEFAULT_URL = "http://127.0.0.1:8000"
# For every request but a download and a WebSocket.
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
SESSION_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5)


class GatewayTarget(NamedTuple):
    """Which gateway the command line names: by its URL, or by the data folder of its `up`."""

    url: str | None = None
    data_dir: Path | None = None


def gateway_url(target: GatewayTarget) -> str:
    """The gateway that is named; else that of MUSICGEN_URL, of a running `up`, or the one at the default port.

    Raises:
        MusicgenError: if what is named is no gateway's URL, or no `up` runs there.
    """
    if target.data_dir is not None:
        found = _running_gateway(target.data_dir)
        if found is None:
            raise MusicgenError(f"No `musicgen up` with a gateway runs on {target.data_dir}. Start one there.")
        return found
    named = target.url or os.environ.get("MUSICGEN_URL")
    return _origin(named) if named else _default_gateway() or DEFAULT_URL


def _default_gateway() -> str | None:
    try:
        return _running_gateway(default_data_dir())
    except MusicgenError:
        return None  # a user without a home folder


def _running_gateway(data_dir: Path) -> str | None:
    gateways = [each for each in read_run_file(data_dir) if each.role == "gateway" and find_process(each)]
    return next((url for each in gateways for url in each.urls), None)


def _origin(named: str) -> str:
    """The URL, if it is one of scheme, host and port."""
    try:
        url = URL(named)
        is_origin = url.scheme in ("http", "https") and url == url.origin().with_path("/")
        (url.raw_host or "").encode("idna")  # as the look-up of the name will, which raises for a..b
    except ValueError:
        is_origin = False
    if not is_origin or not named.isprintable() or " " in named:
        shown = named.rsplit("@", 1)[-1]  # no password
        raise MusicgenError(
            f"{shown!r} is no URL of a gateway. Give its scheme, host and port only, such as {DEFAULT_URL}; "
            f"an API key goes into {API_KEY_VARIABLE}."
        )
    return str(url.origin())


@asynccontextmanager
async def gateway_session(target: GatewayTarget) -> AsyncIterator[aiohttp.ClientSession]:
    """A session on the gateway's URL, with the key in MUSICGEN_API_KEY if there is one.

    Raises:
        MusicgenError: if no gateway answers there.
    """
    url, headers = gateway_url(target), bearer(_key())
    try:
        async with aiohttp.ClientSession(url, timeout=SESSION_TIMEOUT, headers=headers) as session:
            yield session
    except aiohttp.ClientSSLError as error:
        raise MusicgenError(f"{url} cannot be reached over TLS: {error}. Correct its certificate, or --url.") from error
    except aiohttp.ClientConnectionError as error:
        raise MusicgenError(
            f"No gateway answers at {url}. Start one with `musicgen up`, or name another with --url or --data-dir."
        ) from error
    except TimeoutError as error:
        raise MusicgenError(
            f"The gateway at {url} accepts connections and does not answer. Look at its log."
        ) from error
    except aiohttp.ClientError as error:
        raise MusicgenError(f"{url} does not answer as a gateway does: {error}. Correct --url.") from error


def _key() -> str:
    key = os.environ.get(API_KEY_VARIABLE, "")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise MusicgenError(f"{API_KEY_VARIABLE} holds a character that no API key has. Set it to the key alone.")
    return key


async def read_json(response: aiohttp.ClientResponse, *needed: str) -> Any:
    """The JSON of an answer, which has the fields that are needed.

    Raises:
        MusicgenError: with the gateway's own words, if it is an error.
    """
    try:
        body = await response.json(content_type=None)
        if response.status < 400:
            for name in needed:
                body[name]
            return body
        if response.status == 401:
            raise MusicgenError(f"The gateway wants an API key, or another one: set {API_KEY_VARIABLE} to it.")
        raise MusicgenError(body["detail"])
    except (ValueError, KeyError, TypeError) as error:
        raise MusicgenError(
            f"The gateway answered {response.status} {response.reason} in a form that is not a gateway's. "
            f"Look whether one is at {response.url.origin()}."
        ) from error
