"""What the client commands share: where the gateway is, and its errors in words."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from deploy.stack.runfile import default_data_dir, read_run_file, running
from shared.errors import MusicgenError

# The variable with the API key that the client commands send.
KEY = "MUSICGEN_API_KEY"
DEFAULT_URL = "http://127.0.0.1:8000"


def gateway_url(given: str | None) -> str:
    """`--url`, else MUSICGEN_URL, else the gateway of a running `up`, else the default port."""
    named = given or os.environ.get("MUSICGEN_URL")
    if named:
        if not named.startswith(("http://", "https://")):
            raise MusicgenError(f"{named!r} is no URL of a gateway, such as {DEFAULT_URL}.")
        return named.rstrip("/")
    urls = [
        url
        for each in read_run_file(default_data_dir())
        if each.role == "gateway" and running(each)
        for url in each.urls
    ]
    return urls[0] if urls else DEFAULT_URL


@asynccontextmanager
async def connected(given: str | None) -> AsyncIterator[aiohttp.ClientSession]:
    """A session on the gateway's URL, with the key in MUSICGEN_API_KEY if there is one.

    Raises:
        MusicgenError: if nobody answers there.
    """
    url = gateway_url(given)
    timeout = aiohttp.ClientTimeout(total=None, connect=5)
    try:
        async with aiohttp.ClientSession(url, timeout=timeout, headers=bearer(os.environ.get(KEY, ""))) as session:
            yield session
    except aiohttp.ClientConnectionError as error:
        raise MusicgenError(f"No gateway answers at {url}. Start one with `musicgen up`, or give --url.") from error


def bearer(key: str) -> dict[str, str]:
    """The header that an API key is sent in; none without a key."""
    return {"Authorization": f"Bearer {key}"} if key else {}


async def answer(response: aiohttp.ClientResponse) -> Any:
    """The JSON of an answer.

    Raises:
        MusicgenError: with the gateway's own words, if it is an error.
    """
    if response.status < 400:
        return await response.json()
    try:
        problem = await response.json(content_type=None)
        if response.status == 401:
            raise MusicgenError(f"The gateway wants an API key, or another one: set {KEY} to it.")
        raise MusicgenError(problem["detail"])
    except (ValueError, KeyError, TypeError) as error:
        raise MusicgenError(f"The gateway answered {response.status} {response.reason}.") from error
