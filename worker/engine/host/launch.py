"""Starts the engine process, connected by a pair of sockets."""

import asyncio
import os
import re
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack

# Threads that wait for each other spin for some 50 µs, then sleep. By default they spin for much longer: where another
# program wants a core too (the gateway is one), each of a step's hundreds of waits then takes as long as the scheduler
# gives that program. Never to spin doubles a step's time on a quiet machine. See docs/performance.md.
ENGINE_ENVIRONMENT = {"GOMP_SPINCOUNT": "3000"}

# What the worker itself connects with, and names of secrets in general.
_SECRET_NAME = re.compile(
    r"NATS_|S3_|AWS_|API_KEYS|.*(PASSWORD|PASSWD|PASSPHRASE|SECRET|CREDENTIAL|(TOKEN|_PAT|API_?KEY|_KEY)\Z)"
)
_URL_WITH_PASSWORD = re.compile(r"://[^/@\s]+@")
# The hub's token fetches private models, and a proxy may want a password.
_NEEDED = re.compile(r"HF_TOKEN|HUGGING_FACE_HUB_TOKEN|HUGGINGFACE_HUB_TOKEN|.*_PROXY")


def engine_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The worker's environment without its secrets: an engine downloads and reads models, and talks to the worker only.

    Everything else stays, because drivers, libraries and engines of other makers have variables of their own.
    """
    return ENGINE_ENVIRONMENT | {name: value for name, value in environ.items() if not _is_secret(name.upper(), value)}


def _is_secret(name: str, value: str) -> bool:
    if _NEEDED.fullmatch(name):
        return False
    return bool(_SECRET_NAME.match(name) or _URL_WITH_PASSWORD.search(value))


async def start_process() -> tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.subprocess.Process]:
    """The engine process as it starts, and what goes to and comes from it. It ends when its connection does."""
    ours, theirs = socket.socketpair()
    with theirs, ExitStack() as ours_open:
        ours_open.enter_context(ours)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "worker.engine.process", str(theirs.fileno()),
            stdin=asyncio.subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True,
            env=engine_environment(os.environ),
        )  # fmt: skip
        # A process that is left alone here ends by itself, because the other end of its socket is closed.
        reader, writer = await asyncio.open_connection(sock=ours)
        ours_open.pop_all()
        return reader, writer, process
