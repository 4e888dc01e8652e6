"""A handle on one job: its state, events, live audio and files."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from os import PathLike
from pathlib import Path
from typing import Any, Unpack

from musicgen_client.audio_chunk import AudioChunk
from musicgen_client.decoding import decode
from musicgen_client.downloads import read_file, save_file
from musicgen_client.errors import JobFailedError, NotFoundError, Problem
from musicgen_client.live import OnReconnect, Subscription
from musicgen_client.models import Event, JobAccepted, JobStatus, JobView, Message
from musicgen_client.paths import file_path, job_path, status_path
from musicgen_client.requests import ExtendFields, ReplaceFields, VaryFields
from musicgen_client.transport import IDEMPOTENCY_KEY, Transport

# Seconds without audio after which that of a finished job has ended: its last chunk may still be under way.
AUDIO_IDLE = 5.0
MIDI_FILE = "audio.mid"
BUNDLE = "bundle.zip"


class AsyncJob:
    """One job. `async for event in job` follows it to its end.

    Every method raises a ClientError if the gateway refuses, or stays away longer than the client's patience lasts.

    Attributes:
        id: the job's.
    """

    def __init__(self, transport: Transport, job_id: str, takes: Sequence[str] = ()) -> None:
        self.id = job_id
        self._transport = transport
        self._takes = takes

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    def __aiter__(self) -> AsyncIterator[Event]:
        return self.events()

    async def status(self) -> JobView:
        """The present state."""
        return decode(JobView, await self._transport.request("GET", status_path(self.id)))

    async def events(
        self,
        *,
        after_seq: int | None = None,
        patience: float | None = None,
        on_reconnect: OnReconnect | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Yield the current state as an event, and then every event up to the last one.

        Args:
            after_seq: the `seq` of the last event that the caller knows: begins after it.
            patience: seconds to wait for a gateway that is away; None is the client's.
            on_reconnect: called with the error of each broken connection.
        """
        subscription = Subscription(
            self._transport, self.id, after_seq=after_seq, patience=patience, on_reconnect=on_reconnect
        )
        async with aclosing(subscription.frames()) as frames:
            async for frame in frames:
                if isinstance(frame, Event):
                    yield frame
                    if frame.status.is_terminal:
                        return

    async def result(self) -> JobView:
        """Wait for the job's end, and return its final state.

        Raises:
            JobFailedError: if it failed or was cancelled. A cancelled job may have kept its audio: see the `view`.
        """
        view = await self.status()
        if not view.status.is_terminal:
            async with aclosing(self.events()) as events:
                async for _ in events:
                    pass
            view = await self.status()
        if view.status is not JobStatus.COMPLETED:
            raise JobFailedError(view)
        return view

    async def stream(self) -> AsyncGenerator[AudioChunk, None]:
        """Yield the audio while it is made, from its beginning, each sample once.

        A gap between two chunks means that audio was lost on the way; the file is complete. After the failure of a
        worker, another attempt makes the same audio again, and the stream goes on where it stopped.

        Raises:
            JobFailedError: if the job failed.
        """
        position, ended = 0, False
        async with aclosing(Subscription(self._transport, self.id, audio=True).frames()) as frames:
            while True:
                try:
                    frame = await asyncio.wait_for(anext(frames), AUDIO_IDLE if ended else None)
                except TimeoutError:
                    return
                if isinstance(frame, AudioChunk):
                    if frame.end > position:
                        yield frame.after(position)
                        position = frame.end
                    if frame.last:
                        return
                elif frame.status is JobStatus.FAILED:
                    raise JobFailedError(await self.status())
                else:
                    ended = frame.status.is_terminal

    async def audio(self) -> bytes:
        """Wait for the end, and return the whole audio file."""
        view = await self._with_audio()
        return await self._bytes(None, view.audio.sha256 if view.audio else None)

    async def save(self, target: str | PathLike[str]) -> JobView:
        """Wait for the end, and save the audio at `target`, which appears once it is complete.

        Raises:
            OSError: if the file cannot be written.
        """
        view = await self._with_audio()
        await save_file(self._transport, file_path(self.id), Path(target), view.audio.sha256 if view.audio else None)
        return view

    async def stems(self) -> dict[str, bytes]:
        """Wait for the end, and return the stems by their file names. They sum to the audio.

        Raises:
            NotFoundError: if the request did not ask for stems, with `outputs=["stems"]`.
        """
        view = await self._with_audio()
        names = [output.name for output in view.outputs if output.kind == "stem"]
        if not names:
            raise NotFoundError(Problem(404, f'{self.id} has no stems. Ask for them with outputs=["stems"].'))
        return {name: await self._bytes(name) for name in names}

    async def midi(self) -> bytes:
        """Wait for the end, and return the MIDI file; the request asks for it with `outputs=["midi"]`."""
        await self._with_audio()
        return await self._bytes(MIDI_FILE)

    async def bundle(self) -> bytes:
        """Wait for the end, and return audio, stems, MIDI, session and recipe as one ZIP file."""
        await self._with_audio()
        return await self._bytes(BUNDLE)

    async def takes(self) -> "list[AsyncJob]":
        """All jobs of a request with `variations`, in their order; this one alone without them."""
        takes = self._takes or [take.job_id for take in (await self.status()).takes] or [self.id]
        return [AsyncJob(self._transport, job_id, takes) for job_id in takes]

    async def vary(self, **fields: Unpack[VaryFields]) -> "AsyncJob":
        """Compose a share of this finished take again, and return the new one. `strength` is the share, 0 to 1."""
        return await self._child("vary", fields)

    async def extend(self, **fields: Unpack[ExtendFields]) -> "AsyncJob":
        """Continue this finished take by `bars` or `seconds`, or add them in front with at="start"."""
        return await self._child("extend", fields)

    async def replace(self, **fields: Unpack[ReplaceFields]) -> "AsyncJob":
        """Compose the bars `from_bar` to `to_bar` of this finished take again; without a score, seconds as well."""
        return await self._child("replace", fields)

    async def _child(self, kind: str, fields: Mapping[str, Any]) -> "AsyncJob":
        headers = {IDEMPOTENCY_KEY: str(uuid.uuid4())}
        path = f"{job_path(self.id)}/{kind}"
        return accepted_job(self._transport, await self._transport.request("POST", path, body=fields, headers=headers))

    async def cancel(self, *, keep: bool = False, takes: bool = False) -> str:
        """Cancel the job and return the gateway's confirmation.

        Args:
            keep: whether to store the audio that was made so far.
            takes: whether to cancel all jobs of its request.

        Raises:
            ConflictError: if the job is finished.
        """
        params = {name: "1" for name, is_wanted in (("keep", keep), ("takes", takes)) if is_wanted}
        answer = await self._transport.request("DELETE", job_path(self.id), params=params)
        return decode(Message, answer).message

    def read(self, name: str | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes of a file of a finished job, as they arrive; without a name, of its audio.

        Only after the last ones it is certain that all are right: a TransferError comes instead, if they are not.
        """
        return read_file(self._transport, file_path(self.id, name))

    async def _with_audio(self) -> JobView:
        """The final state, also of a cancelled job that kept its audio."""
        try:
            return await self.result()
        except JobFailedError as error:
            if error.view.audio_url is None:
                raise
            return error.view

    async def _bytes(self, name: str | None, sha256: str | None = None) -> bytes:
        async with aclosing(read_file(self._transport, file_path(self.id, name), sha256)) as chunks:
            return b"".join([chunk async for chunk in chunks])


def accepted_job(transport: Transport, answer: object) -> AsyncJob:
    """The job of the answer to a request for music."""
    accepted = decode(JobAccepted, answer)
    return AsyncJob(transport, accepted.job_id, [take.job_id for take in accepted.takes])
