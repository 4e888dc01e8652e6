"""Fixtures of the download tests."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.jobs.stored_files import StoredFiles
from gateway.services import Services
from shared.settings import load_settings
from shared.storage import Storage
from tests.unit.gateway.conftest import KEYS
from tests.unit.gateway.http.handlers.bucket import Bucket
from tests.unit.gateway.samples import completed, entry, extras, job_id, outputs


@pytest.fixture
async def s3(services: Services) -> AsyncIterator[Bucket]:
    """A fake S3 with the files of job 1, which has completed."""
    app, bucket = web.Application(), Bucket()
    app.router.add_head("/music-audio", bucket.look)
    app.router.add_get(f"/music-audio/jobs/{job_id(1)}/{{name}}", bucket.get)
    async with TestServer(app) as server:
        services.storage = Storage(load_settings(KEYS | {"S3_ENDPOINT": f"http://127.0.0.1:{server.port}"}))
        services.stored_files = StoredFiles(services.storage, services.http)
        services.probe._storage = services.storage
        services.index.apply(entry(completed(1, outputs=outputs(1), extras=extras(1))))
        yield bucket
