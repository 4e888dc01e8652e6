"""How the client commands reach a gateway: its URL, the client, and errors in the words of the command line."""

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from musicgen_client import AsyncClient, AuthenticationError, ClientError, ExpiredError, ProblemError, UnreachableError
from musicgen_client.address import KEY_VARIABLE, URL_VARIABLE, gateway_origin

from deploy.cli.request import command_for, fields_as_options
from deploy.stack.data_folder import default_data_dir, find_process, read_run_file
from shared.errors import MusicgenError


class GatewayTarget(NamedTuple):
    """The gateway chosen on the command line: by URL, or by the data folder of its `up`."""

    url: str | None = None
    data_dir: Path | None = None


def target_of(options: argparse.Namespace) -> GatewayTarget:
    """The gateway that a client command's options choose."""
    return GatewayTarget(options.url, options.data_dir)


@asynccontextmanager
async def gateway_client(target: GatewayTarget) -> AsyncIterator[AsyncClient]:
    """Open a client of the chosen gateway. A person waits for it, so it repeats no request: errors are told at once.

    Raises:
        MusicgenError: for every error of the client.
    """
    url = ""
    try:
        url = gateway_url(target)
        async with AsyncClient(url, patience=0) as client:
            yield client
    except ClientError as error:
        raise _for_terminal(error, url) from error


def gateway_url(target: GatewayTarget) -> str:
    """Return the chosen gateway; else MUSICGEN_URL, the gateway of a running `up`, or the default port.

    Raises:
        ClientError: if the URL is invalid.
        MusicgenError: if no `up` runs on the data folder.
    """
    if target.data_dir is not None:
        found = _running_gateway(target.data_dir)
        if found is None:
            raise MusicgenError(f"No `musicgen up` with a gateway runs on {target.data_dir}. Start one there.")
        return found
    is_named = target.url or os.environ.get(URL_VARIABLE)
    return gateway_origin(target.url if is_named else _default_gateway())


def _default_gateway() -> str | None:
    try:
        return _running_gateway(default_data_dir())
    except MusicgenError:
        return None  # the user has no home folder


def _running_gateway(data_dir: Path) -> str | None:
    gateways = [each for each in read_run_file(data_dir) if each.role == "gateway" and find_process(each)]
    return next((url for each in gateways for url in each.urls), None)


def _for_terminal(error: ClientError, url: str) -> MusicgenError:
    """The same error, with options and commands in place of fields and routes."""
    if isinstance(error, UnreachableError):
        return MusicgenError(
            f"No gateway answers at {url}. Start one with `musicgen up`, or choose another with --url or --data-dir."
        )
    if isinstance(error, AuthenticationError) and error.problem.status == 401:
        return MusicgenError(f"The gateway requires a valid API key: set {KEY_VARIABLE}.")
    if isinstance(error, ExpiredError) and error.problem.recipe:
        reason = str(error).partition(". POST")[0]
        return MusicgenError(f"{reason}. Make it again:\n{command_for(error.problem.recipe)}")
    if isinstance(error, ProblemError) and error.problem.errors:
        return MusicgenError(fields_as_options(error.problem.errors))
    return MusicgenError(str(error))
