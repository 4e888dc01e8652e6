"""A TCP connection through the test: it can be held up, cut and mended."""

import asyncio
from contextlib import suppress

from deploy.stack.ports import LOOPBACK

BLOCK = 65536


class TcpProxy:
    """Listens on a port of its own and passes everything on to `target`.

    Held up, it takes bytes and keeps them, as a network does that loses packets; cut, it refuses connections.
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
        """Nothing arrives any more, and nobody is told."""
        self._flowing.clear()

    def resume(self) -> None:
        """What was held up arrives now, and what follows."""
        self._flowing.set()

    async def cut(self) -> None:
        """End the connections and take no more."""
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
            pass  # one side is gone, or the link was cut: the other learns it by the end of its connection
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
