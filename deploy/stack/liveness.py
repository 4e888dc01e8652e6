"""Whether a child still works: a frozen process keeps its port open and answers nothing."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

# Seconds between two looks, those that one answer may take, and the looks in a row after which a child hangs.
INTERVAL = 10.0
PATIENCE = 3.0
MISSES = 3
# A look that took so many seconds longer than it should says more about this process, or this machine, than about the
# child: both were stopped or suspended.
SLACK = 5.0

_REQUEST = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


async def reacts(url: str) -> bool:
    """Whether the server at `url` does anything within a while: answers, or refuses and closes the connection."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                if parts.scheme == "http":  # NATS speaks first
                    writer.write(_REQUEST)
                await reader.read(1)
            finally:
                writer.close()
    except (TimeoutError, ConnectionRefusedError):
        return False
    except OSError:
        return True
    return True


async def until_hung(look: Callable[[], Awaitable[bool]], clock: Callable[[], float] = time.monotonic) -> None:
    """Return when `look` has said no three times in a row, half a minute in all."""
    misses = 0
    while misses < MISSES:
        began = clock()
        await asyncio.sleep(INTERVAL)
        reacted = await look()
        overslept = clock() - began > INTERVAL + PATIENCE + SLACK
        misses = 0 if reacted or overslept else misses + 1
