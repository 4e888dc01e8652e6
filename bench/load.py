"""The load generator: concurrent HTTP clients in a separate process."""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple
from urllib.parse import urlsplit

REQUEST_TIMEOUT = 30.0
RUN_TIMEOUT = 600.0
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")


class Call(NamedTuple):
    """One request: a POST with a body, a GET without."""

    path: str
    body: bytes | None = None


class Measured(NamedTuple):
    """Seconds to the last byte of each call, the bodies of the responses, and seconds for all calls."""

    latencies: list[float]
    answers: list[bytes]
    seconds: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


class LoadGenerator:
    """Clients that each send the next request as soon as the last one is answered. A context manager."""

    def __init__(self, clients: int) -> None:
        self._clients = clients
        # A spawned interpreter shares neither event loop nor memory with this process.
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))

    def __enter__(self) -> "LoadGenerator":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._pool.shutdown()

    def run(self, url: str, calls: Sequence[Call]) -> Measured:
        """Send all `calls` to the gateway at `url`.

        Raises:
            RuntimeError: if a response is not 200.
            TimeoutError: if all calls take longer than ten minutes.
        """
        return self._pool.submit(_run, url, list(calls), self._clients).result()


def _run(url: str, calls: list[Call], clients: int) -> Measured:
    return asyncio.run(_send_all(url, calls, clients))


async def _send_all(url: str, calls: list[Call], clients: int) -> Measured:
    address = urlsplit(url)
    measured, queue = Measured([], [], 0.0), iter(calls)
    async with asyncio.timeout(RUN_TIMEOUT):
        connecting = (asyncio.open_connection(address.hostname, address.port) for _ in range(clients))
        connections = await asyncio.gather(*connecting)
        started = time.perf_counter()
        try:
            await asyncio.gather(*(_client(address.netloc, *each, queue, measured) for each in connections))
            return measured._replace(seconds=time.perf_counter() - started)
        finally:
            for _, writer in connections:
                writer.close()


async def _client(
    host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, queue: Iterator[Call], measured: Measured
) -> None:
    """Send one request after the other over a connection. A full HTTP client would take longer than the gateway."""
    for path, body in queue:
        started = time.perf_counter()
        writer.write(_request(host, path, body))
        async with asyncio.timeout(REQUEST_TIMEOUT):
            status, answer = await _answer(reader)
        measured.latencies.append(time.perf_counter() - started)
        measured.answers.append(answer)
        if status != 200:
            raise RuntimeError(f"{path} was answered with {status}: {answer.decode()}")


def _request(host: str, path: str, body: bytes | None) -> bytes:
    if body is None:
        return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The status and the body of an answer that has a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    if length is None:
        raise RuntimeError(f"An answer without Content-Length: {head.decode()}")
    return int(head.split(b" ", 2)[1]), await reader.readexactly(int(length[1]))
