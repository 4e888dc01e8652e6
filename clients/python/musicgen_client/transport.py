"""HTTP and WebSocket connections to one gateway: requests with retries, and answers as values or errors."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, BinaryIO

import aiohttp

from musicgen_client.backoff import Backoff
from musicgen_client.errors import (
    CertificateError,
    ClientError,
    Problem,
    TimedOutError,
    UnexpectedAnswerError,
    UnreachableError,
    problem_error,
)

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=5)
# The gateway decodes an uploaded file before it answers.
UPLOAD_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_read=180)
# A download ends after this many seconds without data.
DOWNLOAD_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=5, sock_read=60)
# Seconds between pings, which detect a dead connection.
HEARTBEAT = 20.0
IDEMPOTENCY_KEY = "Idempotency-Key"


class Transport:
    """The connections to a gateway, opened by the first request.

    Args:
        origin: scheme, host and port.
        headers: of every request.
        patience: seconds for which a repeatable request is repeated while the gateway is away or busy.
    """

    def __init__(self, origin: str, headers: Mapping[str, str], patience: float) -> None:
        self.origin = origin
        self.patience = patience
        self._headers = headers
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send a request and return the JSON of its answer.

        GET, DELETE and requests with an Idempotency-Key are repeated while the error is temporary.

        Raises:
            ProblemError: with the gateway's reason, if it refuses.
            ClientError: if no gateway answers.
        """
        is_repeatable = method in ("GET", "DELETE") or IDEMPOTENCY_KEY in (headers or {})
        backoff = Backoff(self.patience if is_repeatable else 0)
        while True:
            try:
                with self._explained_errors():
                    async with self._open().request(
                        method, path, json=body, params=params, headers=headers, allow_redirects=False
                    ) as response:
                        return await read_answer(response)
            except ClientError as error:
                await backoff.wait(error)

    async def upload(self, path: str, file: BinaryIO) -> Any:
        """Send a file as the body, once, and return the JSON of the answer.

        Raises:
            ProblemError: with the gateway's reason, if it refuses.
            ClientError: if no gateway answers.
        """
        kind = {"Content-Type": "application/octet-stream"}
        with self._explained_errors():
            async with self._open().post(
                path, data=file, headers=kind, timeout=UPLOAD_TIMEOUT, allow_redirects=False
            ) as response:
                return await read_answer(response)

    @asynccontextmanager
    async def file(self, path: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """Open a file of the gateway.

        Raises:
            ClientError: if the answer is anything but a file, or breaks off.
        """
        with self._explained_errors():
            async with self._open().get(
                path,
                params={"proxy": "1"},  # the gateway's own answer has the checksum
                headers={"Accept-Encoding": "identity"},
                timeout=DOWNLOAD_TIMEOUT,
                allow_redirects=False,
            ) as response:
                if response.status != 200:
                    await read_answer(response)
                    raise UnexpectedAnswerError(f"The gateway answered {path} with {_line(response)} and no file.")
                yield response

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open a WebSocket.

        Raises:
            ClientError: if the gateway does not accept it.
        """
        with self._explained_errors():
            async with self._open().ws_connect("/ws", heartbeat=HEARTBEAT) as socket:
                yield socket

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(self.origin, timeout=REQUEST_TIMEOUT, headers=self._headers)
        return self._session

    @contextmanager
    def _explained_errors(self) -> Iterator[None]:
        """Turn the errors of a connection into this package's own."""
        try:
            yield
        except aiohttp.ClientSSLError as error:
            raise CertificateError(
                f"The TLS connection to {self.origin} fails: {error}. Fix the certificate, or correct the URL."
            ) from error
        except aiohttp.WSServerHandshakeError as error:
            detail = f"{self.origin} refused the WebSocket with {error.status}. Check the proxies on the way."
            raise problem_error(Problem(error.status, detail)) from error
        except aiohttp.ClientConnectionError as error:
            raise UnreachableError(f"No gateway answers at {self.origin}. Start it, or correct the URL.") from error
        except TimeoutError as error:
            raise TimedOutError(
                f"The gateway at {self.origin} accepts connections but does not answer. Check its log."
            ) from error
        except aiohttp.ClientError as error:
            raise UnexpectedAnswerError(
                f"The server at {self.origin} is not a gateway: {error}. Correct the URL."
            ) from error


async def read_answer(response: aiohttp.ClientResponse) -> Any:
    """Return the JSON of an answer.

    Raises:
        ProblemError: if the answer is an error.
        UnexpectedAnswerError: if it is no JSON, or a redirect.
    """
    unknown = (
        f"The gateway answered {_line(response)} in an unknown format. Check that {response.url.origin()} is a gateway."
    )
    try:
        body = await response.json(content_type=None)
    except (ValueError, RecursionError) as error:
        if response.status < 400:
            raise UnexpectedAnswerError(unknown) from error
        body = None
    if response.status < 300:
        return body
    if response.status < 400:
        raise UnexpectedAnswerError(unknown)
    raise problem_error(_problem(response, body, unknown))


def _problem(response: aiohttp.ClientResponse, body: object, unknown: str) -> Problem:
    """The problem in an answer; its detail is `unknown` if the answer is no gateway's."""
    found = body if isinstance(body, dict) else {}
    recipe = found.get("recipe")
    return Problem(
        status=response.status,
        detail=str(found.get("detail") or unknown),
        errors=_field_errors(found.get("errors")),
        request_id=str(found.get("request_id", "")),
        recipe=recipe if isinstance(recipe, dict) else {},
        retry_after=_seconds(response.headers.get("Retry-After", "")),
    )


def _field_errors(errors: object) -> tuple[tuple[str, str], ...]:
    try:
        return tuple((str(each["field"]), str(each["message"])) for each in errors)  # type: ignore[attr-defined]
    except (KeyError, TypeError):  # another server's errors
        return ()


def _seconds(retry_after: str) -> float | None:
    """The pause of a Retry-After header (RFC 9110, section 10.2.3): seconds, or a date."""
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return max((parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds(), 0)
    except (ValueError, TypeError):
        return None


def _line(response: aiohttp.ClientResponse) -> str:
    return f"{response.status} {response.reason}"
