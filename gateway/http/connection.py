"""One HTTP connection: limits on buffered input and output, and problem details for malformed requests."""

import asyncio
import secrets
from http import HTTPStatus
from typing import Any

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import (
    BadHttpMethod,
    BadStatusLine,
    HttpProcessingError,
    InvalidURLError,
    LineTooLong,
)
from aiohttp.streams import EMPTY_PAYLOAD

from gateway.http.middleware import add_common_headers, from_aiohttp_error
from gateway.memory_budget import MemoryBudget
from gateway.problems import Problem, internal_error, problem_response, raw_response, unavailable
from shared.logs import get_logger

log = get_logger(__name__)

# Bytes of a request target, of one header field, and of the request line with all headers.
MAX_TARGET = 8 * 1024
MAX_FIELD = 16 * 1024
MAX_HEAD = 32 * 1024
# Bytes of pipelined requests that may wait; above this, reading pauses.
MAX_PIPELINED = 64 * 1024
# Unprocessed bytes counted per connection at most; a body that a handler reads as it arrives is not buffered.
MAX_UNREAD = 256 * 1024
# All connections share one read buffer: each read is copied before the next connection reads.
_READ_BUFFER = memoryview(bytearray(16 * 1024))
# A WebSocket frame of six bytes becomes an object of about 200 bytes: read less at a time, and count more per byte.
_WEBSOCKET_READ_BUFFER = _READ_BUFFER[:2048]
_FRAME_OVERHEAD_FACTOR = 32


class HttpProtocol(web.RequestHandler, asyncio.BufferedProtocol):
    """aiohttp's protocol, extended by memory accounting and problem details.

    Args:
        server: aiohttp's server.
        request_memory: the unprocessed input of all connections together.
        response_memory: the unsent output of all connections together.
        options: for aiohttp's protocol.
    """

    def __init__(
        self, server: web.Server, request_memory: MemoryBudget, response_memory: MemoryBudget, **options: Any
    ) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            max_line_size=MAX_TARGET,
            max_field_size=MAX_FIELD,
            read_bufsize=len(_READ_BUFFER),
            **options,
        )
        self._request_memory = request_memory
        self._response_memory = response_memory
        self._pending = 0  # bytes received but not processed
        self._head = 0  # of these, bytes of incomplete headers
        self._body: StreamReader = EMPTY_PAYLOAD
        self._websocket_is_idle = False
        self._is_head_request = False  # a response to HEAD has no body, not even an error's

    # ---- Input ----

    def get_buffer(self, sizehint: int) -> memoryview:
        return _WEBSOCKET_READ_BUFFER if self._upgraded else _READ_BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(_READ_BUFFER[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Parse input, and count it until it is processed. Headers may exceed `MAX_HEAD` by one read."""
        if self._close or self._force_close:
            return
        requests, in_body = self._request_count, not self._body.is_eof()
        if data and not (in_body or self._head):
            self._is_head_request = data.startswith(b"HEAD ")
        super().data_received(data)
        if self._upgraded:
            self._count_frames(len(data))
            return
        if self._request_count > requests:
            self._head, self._body = 0, self._messages[-1][1]
        elif not in_body:
            self._head += len(data)
        self._set_pending(self._pending + len(data))
        if self._messages and self._pending > MAX_PIPELINED and not self._buffer_paused:
            self._pause_reading_for_buffer()  # `start` resumes reading when it takes the next request
        if self._head > MAX_HEAD and not self._close:
            self._reject(headers_too_large(f"The request line and headers exceed {MAX_HEAD} bytes."))

    def websocket_idle(self) -> None:
        """Called when all received WebSocket frames are handled: new frames need not wait in memory."""
        self._websocket_is_idle = True
        self._set_pending(0)
        if self._buffer_paused:
            self._resume_reading_for_buffer()

    def websocket_busy(self) -> None:
        """Called when a WebSocket frame is being handled: new frames have to wait in memory."""
        self._websocket_is_idle = False

    def _count_frames(self, size: int) -> None:
        if self._websocket_is_idle:
            return
        self._set_pending(self._pending + _FRAME_OVERHEAD_FACTOR * size)
        if (self._pending == MAX_UNREAD or self._payload_parser is None) and not self._buffer_paused:
            self._pause_reading_for_buffer()  # until the handshake is complete, or all frames are handled

    def _set_pending(self, size: int) -> None:
        # A response may fail after the connection is lost: nothing is buffered then.
        self._pending = 0 if self.transport is None else min(size, MAX_UNREAD)
        self._request_memory.set_usage(self, self._pending)

    # ---- Output ----

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.transport is not None:
            self._response_memory.set_usage(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._response_memory.set_usage(self, 0)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._request_memory.set_usage(self, 0)
        self._response_memory.set_usage(self, 0)

    # ---- Errors ----

    def evict(self) -> None:
        """Reject the request: this connection is the largest one over the shared memory budget."""
        self._reject(unavailable("This gateway is out of memory for requests.", retry_after=5))

    def _reject(self, problem: Problem) -> None:
        """Respond to a request with incomplete headers, then close. If a response is in progress, abort instead."""
        transport = self.transport
        if transport is None:
            return
        is_busy = self._request_in_progress or self._messages or self._payload_parser is not None or self._paused
        if is_busy or self._close:
            transport.abort()
            return
        self.close()
        transport.write(raw_response(problem, has_body=not self._is_head_request))
        transport.write_eof()
        # Lingering close: closing while the client still sends resets the connection, and the response is lost.
        self._loop.call_later(self._lingering_time, transport.abort)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Respond to a malformed request or an error outside the middleware, then close the connection."""
        if request.writer.output_size > 0:
            raise ConnectionError("The response is partly sent: cannot send an error")
        if isinstance(exc, HttpProcessingError):
            problem = malformed_request(exc)
        else:
            log.error("request failed", method=request.method, path=request.path, exc_info=exc)
            problem = internal_error(HTTPStatus(status))
        response = _problem_response(problem)
        if isinstance(exc, HttpProcessingError) and self._is_head_request:
            response.body = None
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response. Some errors of aiohttp, such as 417, bypass the middleware: convert them here."""
        if isinstance(resp, web.HTTPException) and resp.status >= HTTPStatus.BAD_REQUEST:
            resp = _problem_response(from_aiohttp_error(request, resp))
        upgrading = self._upgraded
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if upgrading and not self._upgraded and self._messages:  # the bytes after a declined upgrade are parsed now
                self._head, self._body = 0, self._messages[-1][1]
            if not self._messages:
                self._set_pending(self._head)


def _problem_response(problem: Problem) -> web.Response:
    request_id = secrets.token_hex(8)
    response = problem_response(problem, request_id)
    response.headers["Cache-Control"] = "no-store"
    add_common_headers(response, request_id)
    return response


def malformed_request(error: HttpProcessingError) -> Problem:
    """The problem for a malformed request; its detail says what to send instead."""
    match error:
        case LineTooLong(args=(_, limit, *_)) if limit == MAX_TARGET:
            return Problem(HTTPStatus.REQUEST_URI_TOO_LONG, f"The URL is longer than {MAX_TARGET} bytes. Shorten it.")
        case LineTooLong():
            return headers_too_large(f"A header is longer than {MAX_FIELD} bytes.")
        case BadHttpMethod(message=message) if "HTTPS" in message:
            detail = "This port does not speak TLS: use http://, or the address of the TLS proxy."
        case BadHttpMethod():
            detail = "The request must begin with an HTTP method, such as GET or POST."
        case BadStatusLine():
            detail = "The request line must be METHOD PATH HTTP/1.1; other versions are not supported."
        case InvalidURLError():
            detail = "The request target must be a path, such as /health/live, or a URL."
        case HttpProcessingError(message=message) if "PRI" in message:
            detail = "HTTP/2 is not supported: send HTTP/1.1."
        case HttpProcessingError(message=message) if message.startswith("Too many headers"):
            return headers_too_large("There are more than 128 headers.")
        case _:
            reason = error.message.partition(":\n")[0].rstrip(".")
            detail = f"The request cannot be read: {reason[:100]}. Requests after it were not read."
    return Problem(HTTPStatus.BAD_REQUEST, detail)


def headers_too_large(detail: str) -> Problem:
    """431 for too many or too large headers."""
    return Problem(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"{detail} Send fewer cookies and other headers.")
