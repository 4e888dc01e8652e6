"""The load generator: concurrent HTTP clients in a separate process."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import aiohttp

REQUEST_TIMEOUT = 30.0
RUN_TIMEOUT = 600.0


class Call(NamedTuple):
    """One request: a POST with a body, a GET without."""

    path: str
    body: bytes | None = None


class Measured(NamedTuple):
    """Seconds to the last byte of each call, the bodies of the responses, and seconds for all calls."""

    latencies: list[float]
    answers: list[bytes]
    seconds: float


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
    connector = aiohttp.TCPConnector(limit=clients)
    timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT)
    measured = Measured([], [], 0.0)
    session = aiohttp.ClientSession(url, connector=connector, timeout=timeout)
    async with asyncio.timeout(RUN_TIMEOUT), session:
        queue, started = iter(calls), time.perf_counter()
        await asyncio.gather(*(_client(session, queue, measured) for _ in range(clients)))
        return measured._replace(seconds=time.perf_counter() - started)


async def _client(session: aiohttp.ClientSession, queue: Iterator[Call], measured: Measured) -> None:
    headers = {"Content-Type": "application/json"}
    for path, body in queue:
        started = time.perf_counter()
        method = "GET" if body is None else "POST"
        async with session.request(method, path, data=body, headers=headers) as response:
            answer = await response.read()
        measured.latencies.append(time.perf_counter() - started)
        measured.answers.append(answer)
        if response.status != 200:
            raise RuntimeError(f"{method} {path} was answered with {response.status}: {answer.decode()}")
