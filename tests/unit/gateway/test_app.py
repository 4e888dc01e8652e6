"""Background tasks of the gateway."""

import asyncio
import hashlib

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.app import create_app, keep_running, open_services
from shared.lifecycle import end
from shared.settings import load_settings
from tests.unit.gateway.conftest import KEYS
from tests.unit.gateway.samples import AUDIO, completed, entry, job_id


class FailingTask:
    """A background task that fails twice."""

    def __init__(self) -> None:
        self.runs = 0
        self.went_on = asyncio.Event()

    async def run(self) -> None:
        self.runs += 1
        if self.runs < 3:
            raise ValueError("unexpected")
        self.went_on.set()
        await asyncio.Event().wait()


async def test_a_failed_background_task_is_logged_and_restarted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.app.RESTART_DELAY", 0.0)
    task_body = FailingTask()
    task = asyncio.create_task(keep_running(task_body.run))
    async with asyncio.timeout(5):
        await task_body.went_on.wait()
    await end((task,))
    assert task_body.runs == 3
    assert caplog.text.count("will restart") == 2


async def test_hanging_downloads_do_not_block_others() -> None:
    """With more downloads than an aiohttp session allows connections by default."""
    reached, hanging = asyncio.Semaphore(0), 110

    async def hang(request: web.Request) -> web.Response:
        if request.method == "GET":
            reached.release()
            await asyncio.Event().wait()
        return web.Response(body=AUDIO, headers={"X-Amz-Meta-Sha256": hashlib.sha256(AUDIO).hexdigest()})

    async def exists(request: web.Request) -> web.Response:
        return web.Response()

    s3 = web.Application()
    s3.router.add_head("/music-audio", exists)
    s3.router.add_get(f"/music-audio/jobs/{job_id(1)}/audio.wav", hang)
    url = f"/api/v1/download/{job_id(1)}"
    async with TestServer(s3) as store:
        settings = load_settings(KEYS | {"S3_ENDPOINT": f"http://127.0.0.1:{store.port}"})
        async with open_services(settings) as services, TestClient(TestServer(create_app(services))) as api:
            api.session.connector._limit = 0  # type: ignore[union-attr]
            services.index.apply(entry(completed(1)))
            downloads = [asyncio.create_task(api.get(f"{url}?proxy=1").__aenter__()) for _ in range(hanging)]
            async with asyncio.timeout(20):
                for _ in range(hanging):
                    await reached.acquire()
            async with api.get(url, allow_redirects=False) as response:
                assert response.status == 302
            await end(downloads)
