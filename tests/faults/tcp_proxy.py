"""A TCP proxy that can stall, cut and restore connections."""

import asyncio
from contextlib import suppress

from deploy.stack.ports import LOOPBACK

BLOCK = 65536


class TcpProxy:
    """Listens on a free port and forwards everything to `target`.

    When stalled it accepts bytes and delays them, like a network that loses packets; when cut it refuses connections.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> "TcpProxy":
        self._server = await asyncio.start_server(self._connect, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def stall(self) -> None:
        """Delay all bytes; connections stay open."""
        self._flowing.clear()

    def resume(self) -> None:
        """Deliver the delayed bytes and all that follow."""
        self._flowing.set()

    async def cut(self) -> None:
        """Close all connections and accept no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            there, back = await asyncio.open_connection(LOOPBACK, self._target)
            try:
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
            finally:
                back.close()
        except (OSError, asyncio.CancelledError):
            pass  # one side closed, or the proxy was cut; the `finally` closes the other side
        finally:
            writer.close()
            self._connections.discard(task)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(BLOCK):
            await self._flowing.wait()
            sink.write(data)
            await sink.drain()
        with suppress(OSError):
            sink.write_eof()
