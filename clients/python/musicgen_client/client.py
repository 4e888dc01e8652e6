"""The asynchronous client of a gateway."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Self, Unpack

from musicgen_client.address import authorization, gateway_origin
from musicgen_client.decoding import decode
from musicgen_client.job import AsyncJob, accepted_job
from musicgen_client.models import JobList, JobStatus, JobView
from musicgen_client.requests import GenerateFields, request_body
from musicgen_client.transport import IDEMPOTENCY_KEY, Transport

# Seconds for which a request is repeated while the gateway is away or busy.
PATIENCE = 60.0


class AsyncClient:
    """A client of one gateway; use it with `async with`, or close it.

    Args:
        url: scheme, host and port; None takes MUSICGEN_URL, else the default port of this machine.
        api_key: None takes MUSICGEN_API_KEY, if it is set.
        patience: seconds for which a request is repeated while the gateway is away or busy; 0 sends it once.

    Raises:
        ClientError: if the URL or the key is invalid.
    """

    def __init__(self, url: str | None = None, *, api_key: str | None = None, patience: float = PATIENCE) -> None:
        self._transport = Transport(gateway_origin(url), authorization(api_key), patience)

    @property
    def url(self) -> str:
        """The origin of the gateway."""
        return self._transport.origin

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def generate(
        self, prompt: str | None = None, *, idempotency_key: str | None = None, **fields: Unpack[GenerateFields]
    ) -> AsyncJob:
        """Ask for music: words, or `components`, and the fields of the API guide.

        The request is repeated while the gateway is away or busy, and still makes one job only.

        Args:
            prompt: the music in words.
            idempotency_key: requests with the same key are the same job; None makes a new one.
            **fields: such as bars=8, bpm=124, key="Am", loop=True, outputs=["stems"].

        Raises:
            InvalidRequestError: if a field is invalid.
            ClientError: if the gateway refuses, or stays away longer than patience lasts.
        """
        answer = await self.request(
            "POST",
            "/api/v1/generate",
            body=request_body(prompt, dict(fields)),
            headers={IDEMPOTENCY_KEY: idempotency_key or str(uuid.uuid4())},
        )
        return accepted_job(self._transport, answer)

    async def upload(self, file: str | PathLike[str]) -> str:
        """Store an audio or MIDI file at the gateway.

        Returns:
            its audio_id, for the field `audio` of `generate`.

        Raises:
            OSError: if the file cannot be read.
            ProblemError: if the gateway refuses it; the message has the reason.
        """
        with await asyncio.to_thread(Path(file).open, "rb") as content:
            answer = await self._transport.upload("/api/v1/audio", content)
        return str(answer["audio_id"])

    def job(self, job_id: str) -> AsyncJob:
        """A handle on an existing job. The gateway is not asked yet."""
        return AsyncJob(self._transport, job_id)

    async def list_jobs(
        self, *, limit: int | None = None, status: JobStatus | None = None, cursor: str | None = None
    ) -> JobList:
        """A page of jobs, newest first.

        Args:
            limit: the most jobs in the page, 1 to 200.
            status: only jobs in this status.
            cursor: the `next_cursor` of the page before.
        """
        wanted = {"limit": limit, "status": status, "cursor": cursor}
        params = {name: str(value) for name, value in wanted.items() if value is not None}
        return decode(JobList, await self.request("GET", "/api/v1/jobs", params=params))

    async def jobs(self, *, status: JobStatus | None = None) -> AsyncGenerator[JobView, None]:
        """Yield all jobs, newest first, page by page."""
        cursor: str | None = None
        while True:
            page = await self.list_jobs(status=status, cursor=cursor)
            for view in page.jobs:
                yield view
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send any request, such as POST /api/v1/prompt/parse, and return the JSON of its answer."""
        return await self._transport.request(method, path, body=body, params=params, headers=headers)
