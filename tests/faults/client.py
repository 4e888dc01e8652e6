"""A client of a gateway that records its requests and their responses in the history."""

import asyncio
from typing import Any

import aiohttp

from tests.faults.history import TERMINAL, History
from tests.integration.system import eventually

TIMEOUT = aiohttp.ClientTimeout(total=15)


class Client:
    """One gateway over HTTP. Requests return None if the gateway does not respond."""

    def __init__(self, url: str, http: aiohttp.ClientSession, history: History) -> None:
        self.url = url
        self.http = http
        self._history = history

    async def post(
        self, prompt: str = "tone", duration: float = 0.5, key: str | None = None, **fields: Any
    ) -> str | None:
        """The id of the accepted job; None if it was refused, or the outcome is unknown."""
        headers = {"Idempotency-Key": key} if key else {}
        body = {"prompt": prompt, "duration": duration, **fields}
        try:
            async with self.http.post(
                f"{self.url}/api/v1/generate", json=body, headers=headers, timeout=TIMEOUT
            ) as got:
                answer = await got.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._history.note("post unanswered", key=key, error=repr(error))
            return None
        if got.status != 200:
            self._history.note("post refused", key=key, status=got.status, detail=answer.get("detail"))
            assert got.status == 503, answer
            return None
        self._history.note_accepted(answer["job_id"], key)
        return str(answer["job_id"])

    async def submit(self, prompt: str = "tone", duration: float = 0.5, **fields: Any) -> str:
        """Request a job until it is accepted; returns its id."""
        job_id: str = await eventually(lambda: self.post(prompt, duration, **fields), "a job is accepted", 60)
        return job_id

    async def delete(self, job_id: str, *, keep: bool = False) -> int | None:
        """The status code of the response."""
        query = {"keep": "1"} if keep else {}
        try:
            async with self.http.delete(f"{self.url}/api/v1/jobs/{job_id}", params=query, timeout=TIMEOUT) as got:
                self._history.note("delete", job_id=job_id, keep=keep, status=got.status)
                if got.status == 200 and not keep:
                    self._history.cancelled.add(job_id)
                return got.status
        except (aiohttp.ClientError, TimeoutError) as error:
            self._history.note("delete unanswered", job_id=job_id, error=repr(error))
            return None

    async def status(self, job_id: str) -> dict[str, Any] | None:
        try:
            async with self.http.get(f"{self.url}/api/v1/status/{job_id}", timeout=TIMEOUT) as got:
                if got.status != 200:
                    return None
                body: dict[str, Any] = await got.json()
        except (aiohttp.ClientError, TimeoutError):
            return None
        self._history.note_status(job_id, body["status"])
        return body

    async def until(self, job_id: str, *statuses: str, timeout: float = 60.0) -> dict[str, Any]:
        """Wait until the status is one of these, by default a terminal one; returns the status document."""

        async def reached() -> dict[str, Any] | None:
            found = await self.status(job_id)
            return found if found and found["status"] in (statuses or TERMINAL) else None

        found: dict[str, Any] = await eventually(reached, f"{job_id} gets {statuses}", timeout)
        return found

    async def until_message(self, job_id: str, words: str, timeout: float = 60.0) -> None:
        """Wait until the message of the job contains these words."""

        async def said() -> bool:
            found = await self.status(job_id)
            return found is not None and words in found["message"]

        await eventually(said, f"{job_id} says {words}", timeout)

    async def terminal_states(self, jobs: list[str], timeout: float = 60.0) -> list[str]:
        """The terminal states of these jobs, in order."""
        return [
            found["status"] for found in await asyncio.gather(*(self.until(each, timeout=timeout) for each in jobs))
        ]
