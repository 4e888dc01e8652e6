"""The gateway connection of the client commands: its URL, a session, and readable errors."""

import argparse
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
# For every request except downloads and WebSockets.
REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
SESSION_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5)


class GatewayTarget(NamedTuple):
    """The gateway chosen on the command line: by URL, or by the data folder of its `up`."""

    url: str | None = None
    data_dir: Path | None = None


def target_of(options: argparse.Namespace) -> GatewayTarget:
    """The gateway that a client command's options choose."""
    return GatewayTarget(options.url, options.data_dir)


class GatewayError(MusicgenError):
    """The gateway refused a request.

    Attributes:
        status: the HTTP status.
        problem: the body of the answer, as in RFC 9457.
    """

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(problem["detail"])
        self.status = status
        self.problem = problem


def gateway_url(target: GatewayTarget) -> str:
    """Return the chosen gateway; else MUSICGEN_URL, the gateway of a running `up`, or the default port.

    Raises:
        MusicgenError: if the URL is invalid, or no `up` runs on the data folder.
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
        return None  # the user has no home folder


def _running_gateway(data_dir: Path) -> str | None:
    gateways = [each for each in read_run_file(data_dir) if each.role == "gateway" and find_process(each)]
    return next((url for each in gateways for url in each.urls), None)


def _origin(named: str) -> str:
    """Return the URL if it consists of scheme, host and port only."""
    try:
        url = URL(named)
        is_origin = url.scheme in ("http", "https") and url == url.origin().with_path("/")
        (url.raw_host or "").encode("idna")  # as the host lookup does; raises for a..b
    except ValueError:
        is_origin = False
    if not is_origin or not named.isprintable() or " " in named:
        shown = named.rsplit("@", 1)[-1]  # without the password
        raise MusicgenError(
            f"{shown!r} is not a gateway URL. Give scheme, host and port only, such as {DEFAULT_URL}; "
            f"set an API key in {API_KEY_VARIABLE}."
        )
    return str(url.origin())


@asynccontextmanager
async def gateway_session(target: GatewayTarget) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a session with the gateway that sends the key in MUSICGEN_API_KEY, if set.

    Raises:
        MusicgenError: if no gateway answers.
    """
    url, headers = gateway_url(target), bearer(_key())
    try:
        async with aiohttp.ClientSession(url, timeout=SESSION_TIMEOUT, headers=headers) as session:
            yield session
    except aiohttp.ClientSSLError as error:
        raise MusicgenError(
            f"The TLS connection to {url} fails: {error}. Fix the certificate, or correct --url."
        ) from error
    except aiohttp.ClientConnectionError as error:
        raise MusicgenError(
            f"No gateway answers at {url}. Start one with `musicgen up`, or choose another with --url or --data-dir."
        ) from error
    except TimeoutError as error:
        raise MusicgenError(f"The gateway at {url} accepts connections but does not answer. Check its log.") from error
    except aiohttp.ClientError as error:
        raise MusicgenError(f"The server at {url} is not a gateway: {error}. Correct --url.") from error


def _key() -> str:
    key = os.environ.get(API_KEY_VARIABLE, "")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise MusicgenError(
            f"{API_KEY_VARIABLE} contains a character that is invalid in an API key. Set it to the key alone."
        )
    return key


async def read_json(response: aiohttp.ClientResponse, *needed: str) -> Any:
    """Return the JSON body of a response, which must have the `needed` fields.

    Raises:
        GatewayError: with the gateway's own message if the response is an error.
        MusicgenError: if no valid API key is set, or the answer is in an unknown format.
    """
    try:
        body = await response.json(content_type=None)
        if response.status < 400:
            for name in needed:
                body[name]
            return body
        if response.status == 401:
            raise MusicgenError(f"The gateway requires a valid API key: set {API_KEY_VARIABLE}.")
        raise GatewayError(response.status, body)
    except (ValueError, KeyError, TypeError) as error:
        raise MusicgenError(
            f"The gateway answered {response.status} {response.reason} in an unknown format. "
            f"Check that {response.url.origin()} is a gateway."
        ) from error
