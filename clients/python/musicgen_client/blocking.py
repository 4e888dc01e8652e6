"""The blocking face of the client, for scripts and plugins: the asynchronous one, run by a background thread."""

from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any, Self, Unpack

from musicgen_client.audio_chunk import AudioChunk
from musicgen_client.background_loop import BackgroundLoop
from musicgen_client.client import PATIENCE, AsyncClient
from musicgen_client.job import AsyncJob
from musicgen_client.models import Event, JobList, JobStatus, JobView
from musicgen_client.requests import ExtendFields, GenerateFields, ReplaceFields, VaryFields


class Job:
    """As AsyncJob, blocking. `for event in job` follows it to its end."""

    def __init__(self, loop: BackgroundLoop, job: AsyncJob) -> None:
        self.id = job.id
        self._loop = loop
        self._job = job

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    def __iter__(self) -> Iterator[Event]:
        return self.events()

    def status(self) -> JobView:
        return self._loop.run(self._job.status())

    def events(self, *, after_seq: int | None = None) -> Iterator[Event]:
        return self._loop.iterate(self._job.events(after_seq=after_seq))

    def result(self) -> JobView:
        return self._loop.run(self._job.result())

    def stream(self) -> Iterator[AudioChunk]:
        return self._loop.iterate(self._job.stream())

    def audio(self) -> bytes:
        return self._loop.run(self._job.audio())

    def save(self, target: str | PathLike[str]) -> JobView:
        return self._loop.run(self._job.save(target))

    def stems(self) -> dict[str, bytes]:
        return self._loop.run(self._job.stems())

    def midi(self) -> bytes:
        return self._loop.run(self._job.midi())

    def bundle(self) -> bytes:
        return self._loop.run(self._job.bundle())

    def takes(self) -> "list[Job]":
        return [Job(self._loop, each) for each in self._loop.run(self._job.takes())]

    def vary(self, **fields: Unpack[VaryFields]) -> "Job":
        return Job(self._loop, self._loop.run(self._job.vary(**fields)))

    def extend(self, **fields: Unpack[ExtendFields]) -> "Job":
        return Job(self._loop, self._loop.run(self._job.extend(**fields)))

    def replace(self, **fields: Unpack[ReplaceFields]) -> "Job":
        return Job(self._loop, self._loop.run(self._job.replace(**fields)))

    def cancel(self, *, keep: bool = False, takes: bool = False) -> str:
        return self._loop.run(self._job.cancel(keep=keep, takes=takes))

    def read(self, name: str | None = None) -> Iterator[bytes]:
        return self._loop.iterate(self._job.read(name))


class Client:
    """As AsyncClient, blocking; use it with `with`, or close it."""

    def __init__(self, url: str | None = None, *, api_key: str | None = None, patience: float = PATIENCE) -> None:
        self._client = AsyncClient(url, api_key=api_key, patience=patience)
        self._loop = BackgroundLoop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The origin of the gateway."""
        return self._client.url

    def close(self) -> None:
        self._loop.run(self._client.close())
        self._loop.close()

    def generate(
        self, prompt: str | None = None, *, idempotency_key: str | None = None, **fields: Unpack[GenerateFields]
    ) -> Job:
        return Job(self._loop, self._loop.run(self._client.generate(prompt, idempotency_key=idempotency_key, **fields)))

    def upload(self, file: str | PathLike[str]) -> str:
        return self._loop.run(self._client.upload(file))

    def job(self, job_id: str) -> Job:
        return Job(self._loop, self._client.job(job_id))

    def list_jobs(
        self, *, limit: int | None = None, status: JobStatus | None = None, cursor: str | None = None
    ) -> JobList:
        return self._loop.run(self._client.list_jobs(limit=limit, status=status, cursor=cursor))

    def jobs(self, *, status: JobStatus | None = None) -> Iterator[JobView]:
        return self._loop.iterate(self._client.jobs(status=status))

    def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        return self._loop.run(self._client.request(method, path, body=body, params=params, headers=headers))
