"""The blocking client has what the asynchronous one has, and works from several threads."""

import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from pathlib import Path

import pytest
from musicgen_client import AsyncClient, AsyncJob, Client, Job, NotFoundError
from musicgen_client.background_loop import BackgroundLoop

from tests.unit.clients.gateway import JOB, FakeGateway, event, view


@pytest.mark.parametrize(("blocking", "asynchronous"), [(Client, AsyncClient), (Job, AsyncJob)])
def test_both_faces_have_the_same_methods(blocking: type, asynchronous: type) -> None:
    names = {name for name in dir(asynchronous) if not name.startswith("_")}
    assert names == {name for name in dir(blocking) if not name.startswith("_")}
    # A callback of `events` would run in another thread, so the blocking face has none.
    own = {"events": {"patience", "on_reconnect"}}
    for name in names:
        function = getattr(asynchronous, name)
        if callable(function):
            wanted = set(inspect.signature(function).parameters) - own.get(name, set())
            assert set(inspect.signature(getattr(blocking, name)).parameters) == wanted


async def test_a_job_is_followed_and_saved_without_an_event_loop(gateway: FakeGateway, tmp_path: Path) -> None:
    gateway.sends(event("queued", 1), event("completed", 2), stays_open=True)
    gateway.answer("GET", f"/api/v1/status/{JOB}", view(audio=None))
    gateway.answer("GET", f"/api/v1/download/{JOB}", b"RIFF")

    def work() -> list[str]:
        with Client(gateway.url) as client:
            job = client.job(JOB)
            types = [each.type for each in job]
            assert b"".join(job.read()) == job.audio() == b"RIFF"
            job.save(tmp_path / "song.wav")
        return types

    assert await asyncio.to_thread(work) == ["queued", "completed"]
    assert (tmp_path / "song.wav").read_bytes() == b"RIFF"


async def test_an_error_reaches_the_caller(gateway: FakeGateway) -> None:
    gateway.refuse("GET", f"/api/v1/status/{JOB}", 404, "There is no job.")

    def work() -> None:
        with Client(gateway.url) as client, pytest.raises(NotFoundError, match=r"There is no job\."):
            client.job(JOB).status()

    await asyncio.to_thread(work)


def test_leaving_an_iteration_closes_its_generator() -> None:
    closed = threading.Event()

    async def numbers() -> AsyncGenerator[int, None]:
        try:
            for number in range(10):
                yield number
        finally:
            closed.set()

    loop = BackgroundLoop()
    for number in loop.iterate(numbers()):
        if number == 3:
            break
    assert closed.wait(5)
    loop.close()
    loop.close()


def test_an_interrupt_cancels_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def endless() -> AsyncGenerator[int, None]:
        yield 1
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    loop = BackgroundLoop()
    values = loop.iterate(endless())
    assert next(values) == 1

    wait, presses = Future.result, iter([True])

    def press_once(future: "Future[object]", timeout: float | None = None) -> object:
        if next(presses, False):
            started.wait(5)
            raise KeyboardInterrupt
        return wait(future, timeout)

    monkeypatch.setattr(Future, "result", press_once)
    with pytest.raises(KeyboardInterrupt):
        next(values)
    assert cancelled.wait(5)
    loop.close()
