"""One connection, as aiohttp serves it, with problem details for what fails before a handler or around it."""

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

from gateway.http.middleware import of_aiohttp, stamp
from gateway.memory_budget import Buffers
from gateway.problems import Problem, mistake, problem_response, raw_answer, unavailable
from shared.logs import get_logger

log = get_logger(__name__)

# Bytes of a request's target, of a header with its name, and of everything before the body.
MAX_TARGET = 8 * 1024
MAX_FIELD = 16 * 1024
MAX_HEAD = 32 * 1024
# Bytes of requests that wait behind the one that is answered: beyond this no more is read.
MAX_PIPELINED = 64 * 1024
# Bytes that one connection can keep of what was sent to it; a body that is read as it comes passes through.
MAX_UNREAD = 256 * 1024
# So much is read at a time. All connections share the buffer: it is emptied before another one reads.
_PIECE = memoryview(bytearray(16 * 1024))
# WebSocket frames may be of six bytes, and are objects of 200 once they are read.
_FRAME_PIECE = _PIECE[:2048]
_FRAME_WEIGHT = 32


class Protocol(web.RequestHandler, asyncio.BufferedProtocol):
    """aiohttp's protocol, which counts what it keeps and answers with problem details.

    Args:
        server: aiohttp's.
        unread: what all connections keep of what was sent to them.
        unsent: what all connections keep of what their clients have not taken yet.
        options: aiohttp's.
    """

    def __init__(self, server: web.Server, unread: Buffers, unsent: Buffers, **options: Any) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            max_line_size=MAX_TARGET,
            max_field_size=MAX_FIELD,
            read_bufsize=len(_PIECE),
            **options,
        )
        self._unread = unread
        self._unsent = unsent
        self._pending = 0  # bytes since nothing was kept
        self._head = 0  # of these, bytes of a head that has not ended
        self._body: StreamReader = EMPTY_PAYLOAD
        self._frame_awaited = False
        self._wants_head = False  # whether the last head began with HEAD: its answer has no body, not even an error's

    # ---- What comes in ----

    def get_buffer(self, sizehint: int) -> memoryview:
        return _FRAME_PIECE if self._upgraded else _PIECE

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(_PIECE[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Parse a piece, and count it until it is done with. A head may be longer than `MAX_HEAD` by one piece."""
        if self._close or self._force_close:
            return
        requests, in_body = self._request_count, not self._body.is_eof()
        if data and not (in_body or self._head):
            self._wants_head = data.startswith(b"HEAD ")
        super().data_received(data)
        if self._upgraded:
            self._note_frames(len(data))
            return
        if self._request_count > requests:
            self._head, self._body = 0, self._messages[-1][1]
        elif not in_body:
            self._head += len(data)
        self._keep(self._pending + len(data))
        if self._messages and self._pending > MAX_PIPELINED and not self._buffer_paused:
            self._pause_reading_for_buffer()  # `start` resumes when it takes the next request
        if self._head > MAX_HEAD and not self._close:
            self._refuse(head_too_large(f"The head of the request is longer than {MAX_HEAD} bytes."))

    def frame_awaited(self) -> None:
        """Every WebSocket frame that came was handled: what comes now is handled at once, or is part of a frame."""
        self._frame_awaited = True
        self._keep(0)
        if self._buffer_paused:
            self._resume_reading_for_buffer()

    def frame_taken(self) -> None:
        """A frame is being handled: what comes now has to wait."""
        self._frame_awaited = False

    def _note_frames(self, size: int) -> None:
        if self._frame_awaited:
            return
        self._keep(self._pending + _FRAME_WEIGHT * size)
        if (self._pending == MAX_UNREAD or self._payload_parser is None) and not self._buffer_paused:
            self._pause_reading_for_buffer()  # until the handshake is answered, or all frames are handled

    def _keep(self, size: int) -> None:
        # An answer may fail after the connection is lost: nothing is kept then.
        self._pending = 0 if self.transport is None else min(size, MAX_UNREAD)
        self._unread.note(self, self._pending)

    # ---- What goes out ----

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.transport is not None:
            self._unsent.note(self, self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unsent.note(self, 0)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._unread.note(self, 0)
        self._unsent.note(self, 0)

    # ---- What goes wrong ----

    def cut(self) -> None:
        """All connections together keep too much, and this one the most."""
        self._refuse(unavailable("All requests together are too large for this gateway's memory.", retry_after=5))

    def _refuse(self, problem: Problem) -> None:
        """Answer to a head that has not ended, and read no more. An answer that has begun breaks off."""
        transport = self.transport
        if transport is None:
            return
        is_busy = self._request_in_progress or self._messages or self._payload_parser is not None or self._paused
        if is_busy or self._close:
            transport.abort()
            return
        self.close()
        transport.write(raw_answer(problem, has_body=not self._wants_head))
        transport.write_eof()
        # A client that goes on sending would be told of a reset before it has read the answer.
        self._loop.call_later(self._lingering_time, transport.abort)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to bytes that are no HTTP, and to what failed outside the middlewares. The connection ends."""
        if request.writer.output_size > 0:
            raise ConnectionError("The answer is partly sent: nothing can be added to it")
        if isinstance(exc, HttpProcessingError):
            problem = unreadable(exc)
        else:
            log.error("request failed", method=request.method, path=request.path, exc_info=exc)
            problem = mistake(HTTPStatus(status))
        response = _answer(problem)
        if isinstance(exc, HttpProcessingError) and self._wants_head:
            response.body = None
        response.force_close()
        return response

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer. An error of aiohttp's, such as 417, has passed no middleware."""
        if isinstance(resp, web.HTTPException) and resp.status >= HTTPStatus.BAD_REQUEST:
            resp = _answer(of_aiohttp(request, resp))
        upgrading = self._upgraded
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if upgrading and not self._upgraded and self._messages:  # what followed a declined upgrade is parsed now
                self._head, self._body = 0, self._messages[-1][1]
            if not self._messages:
                self._keep(self._head)


def _answer(problem: Problem) -> web.Response:
    request_id = secrets.token_hex(8)
    response = problem_response(problem, request_id)
    response.headers["Cache-Control"] = "no-store"
    stamp(response, request_id)
    return response


def unreadable(error: HttpProcessingError) -> Problem:
    """The problem with bytes that are no request, in words that tell what to send."""
    match error:
        case LineTooLong(args=(_, limit, *_)) if limit == MAX_TARGET:
            return Problem(HTTPStatus.REQUEST_URI_TOO_LONG, f"The URL is longer than {MAX_TARGET} bytes. Shorten it.")
        case LineTooLong():
            return head_too_large(f"A header is longer than {MAX_FIELD} bytes.")
        case BadHttpMethod(message=message) if "HTTPS" in message:
            detail = "TLS does not begin here: use http://, or the address of the proxy that has a certificate."
        case BadHttpMethod():
            detail = "The request begins with no method of HTTP, such as GET or POST."
        case BadStatusLine():
            detail = "The request line must be METHOD PATH HTTP/1.1; no other version is spoken here."
        case InvalidURLError():
            detail = "The target of the request must be a path, such as /health/live, or a URL."
        case HttpProcessingError(message=message) if "PRI" in message:
            detail = "HTTP/2 is not spoken here: send HTTP/1.1."
        case HttpProcessingError(message=message) if message.startswith("Too many headers"):
            return head_too_large("There are more than 128 headers.")
        case _:
            reason = error.message.partition(":\n")[0].rstrip(".")
            detail = f"The request cannot be read: {reason[:100]}. Nothing after it was read either."
    return Problem(HTTPStatus.BAD_REQUEST, detail)


def head_too_large(detail: str) -> Problem:
    """431."""
    return Problem(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"{detail} Send less of cookies and other headers.")
