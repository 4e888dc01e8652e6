"""A job's events and live audio from the WebSocket, across broken connections."""

import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import aiohttp

from musicgen_client.audio_chunk import AudioChunk, unpack_chunk
from musicgen_client.backoff import Backoff, is_temporary
from musicgen_client.decoding import decode
from musicgen_client.errors import ClientError, SubscriptionError, UnexpectedAnswerError, UnreachableError
from musicgen_client.models import Event
from musicgen_client.paths import status_path
from musicgen_client.transport import Transport

OnReconnect = Callable[[ClientError], None]


class Subscription:
    """The frames of one job. They go on after a broken connection: no lifecycle event is missed or repeated.

    Args:
        transport: the gateway's.
        job_id: the job.
        after_seq: the `seq` of the last event that the caller knows; None asks for the current state first.
        audio: whether to receive live audio, too. After a reconnect the gateway sends it from the beginning.
        patience: seconds to wait for a gateway that is away.
        on_reconnect: called with the error of each broken connection.
    """

    def __init__(
        self,
        transport: Transport,
        job_id: str,
        *,
        after_seq: int | None = None,
        audio: bool = False,
        patience: float | None = None,
        on_reconnect: OnReconnect | None = None,
    ) -> None:
        self._transport = transport
        self._job_id = job_id
        self._after_seq = after_seq
        self._audio = audio
        self._backoff = Backoff(transport.patience if patience is None else patience)
        self._on_reconnect = on_reconnect

    async def frames(self) -> AsyncGenerator[Event | AudioChunk, None]:
        """Yield new events and chunks, without end.

        Raises:
            ClientError: if the gateway stays away longer than patience lasts, or refuses the job.
        """
        while True:
            try:
                async with self._transport.socket() as socket:
                    await socket.send_json(self._request())
                    async for message in socket:
                        self._backoff.reset()
                        frame = self._read(message)
                        if frame is not None:
                            yield frame
                error: ClientError = UnreachableError(f"The gateway at {self._transport.origin} closed the connection.")
            except ClientError as caught:
                error = caught
            if not is_temporary(error):
                await self._transport.request("GET", status_path(self._job_id))  # raises the reason, if it is the job
            elif self._on_reconnect is not None:
                self._on_reconnect(error)
            await self._backoff.wait(error)

    def _request(self) -> dict[str, Any]:
        request = {"type": "subscribe", "job_id": self._job_id, "audio": self._audio}
        return request if self._after_seq is None else request | {"after_seq": self._after_seq}

    def _read(self, message: aiohttp.WSMessage) -> Event | AudioChunk | None:
        if message.type is aiohttp.WSMsgType.BINARY:
            return unpack_chunk(message.data)
        event = read_event(message.data) if message.type is aiohttp.WSMsgType.TEXT else None
        # The gateway repeats the latest event after a reconnect.
        if event is None or (event.seq <= (self._after_seq or 0) and not event.status.is_terminal):
            return None
        self._after_seq = event.seq
        return event


def read_event(text: str) -> Event | None:
    """Read a text frame; None for one that is neither an event nor an error.

    Raises:
        SubscriptionError: if it is an error. The gateway sends one for an unknown job, too.
        UnexpectedAnswerError: if it is no gateway's frame.
    """
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnexpectedAnswerError("The gateway sent a frame that is no JSON.") from error
    if isinstance(frame, dict) and frame.get("type") == "error":
        raise SubscriptionError(f"The gateway reports: {frame.get('detail')}")
    return decode(Event, frame) if isinstance(frame, dict) and "seq" in frame else None
