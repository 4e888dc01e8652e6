"""Starts the engine process, connected by a socket pair, without the worker's secrets."""

import asyncio
import os
import re
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack

# OpenMP threads spin for about 50 µs, then sleep. With the much longer default, each of a step's hundreds of waits can
# cost a scheduler time slice when another process, such as the gateway, needs a core. Without spinning, a step takes
# twice as long on an idle machine. See docs/performance.md.
ENGINE_ENVIRONMENT = {"GOMP_SPINCOUNT": "3000"}

# The worker's own credentials, and common names of secrets.
_SECRET_NAME = re.compile(
    r"NATS_|S3_|AWS_|API_KEYS|.*(PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIAL|(TOKEN|_PAT|API_?KEY|_KEY)\Z)"
)
_URL_WITH_PASSWORD = re.compile(r"://[^/@\s]+@")
# Private models need the hub's token, and a proxy may need a password.
_NEEDED = re.compile(r"HF_TOKEN|HUGGING_FACE_HUB_TOKEN|HUGGINGFACE_HUB_TOKEN|.*_PROXY")


def engine_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The worker's environment without its secrets: an engine only downloads models and talks to the worker.

    All other variables stay, because drivers, libraries and third-party engines may need them.
    """
    return ENGINE_ENVIRONMENT | {name: value for name, value in environ.items() if not _is_secret(name.upper(), value)}


def _is_secret(name: str, value: str) -> bool:
    if _NEEDED.fullmatch(name):
        return False
    return bool(_SECRET_NAME.match(name) or _URL_WITH_PASSWORD.search(value))


async def start_process() -> tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.subprocess.Process]:
    """Start the engine process; returns its connection and the process, which ends when the connection closes."""
    ours, theirs = socket.socketpair()
    with theirs, ExitStack() as ours_open:
        ours_open.enter_context(ours)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "worker.engine.process", str(theirs.fileno()),
            stdin=asyncio.subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True,
            env=engine_environment(os.environ),
        )  # fmt: skip
        # If this fails or is cancelled, our end of the socket closes, and the process ends.
        reader, writer = await asyncio.open_connection(sock=ours)
        ours_open.pop_all()
        return reader, writer, process
