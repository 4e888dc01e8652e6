"""Starts the engine process, connected by a pair of sockets."""

import asyncio
import os
import socket
import sys
from contextlib import ExitStack

# Threads that wait for each other spin for some 50 µs, then sleep. By default they spin for much longer: where another
# program wants a core too (the gateway is one), each of a step's hundreds of waits then takes as long as the scheduler
# gives that program. Never to spin doubles a step's time on a quiet machine. See docs/performance.md.
ENGINE_ENVIRONMENT = {"GOMP_SPINCOUNT": "3000"}


async def start_process() -> tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.subprocess.Process]:
    """The engine process as it starts, and what goes to and comes from it. It ends when its connection does."""
    ours, theirs = socket.socketpair()
    with theirs, ExitStack() as ours_open:
        ours_open.enter_context(ours)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "worker.engine.process", str(theirs.fileno()),
            stdin=asyncio.subprocess.DEVNULL, pass_fds=[theirs.fileno()], start_new_session=True,
            env=ENGINE_ENVIRONMENT | os.environ,
        )  # fmt: skip
        # A process that is left alone here ends by itself, because the other end of its socket is closed.
        reader, writer = await asyncio.open_connection(sock=ours)
        ours_open.pop_all()
        return reader, writer, process
