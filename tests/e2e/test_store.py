"""The embedded S3 store keeps acknowledged objects."""

import io
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import uuid4

import pytest
from minio.error import S3Error, ServerError
from urllib3.exceptions import HTTPError

from shared.settings import Settings, load_settings
from tests.e2e.stack import s3_client
from tests.servers import embedded_s3

pytestmark = pytest.mark.e2e


def test_s3_keeps_acknowledged_objects_however_it_ends(tmp_path: Path) -> None:
    server, roles = embedded_s3(tmp_path)
    settings = load_settings(roles["worker"])
    stored: dict[str, bytes] = {}
    with ExitStack() as stack:
        stack.callback(server.stop)
        for end in (server.stop, server.kill):
            server.start()
            _until_it_stores(settings)
            with ThreadPoolExecutor() as pool:
                for _ in range(4):
                    pool.submit(_store_until_it_ends, settings, stored)
                enough = len(stored) + 4
                while len(stored) < enough:  # no longer than pytest's own limit
                    time.sleep(0.05)
                end()
                assert server.exit_code is not None
        server.start()
        assert not [name for name, data in stored.items() if _read(settings, name) != data]


def _until_it_stores(settings: Settings) -> None:
    """A busy machine's S3 server answers for a moment before it knows its volumes; clients repeat what it refuses."""
    while True:  # no longer than pytest's own limit
        with suppress(S3Error, ServerError, HTTPError):
            s3_client(settings).put_object(settings.s3_bucket, "first", io.BytesIO(b"first"), 5)
            return
        time.sleep(0.05)


def _read(settings: Settings, name: str) -> bytes:
    """An object, also if its volume is not known at once. One that is lost is another error, or never comes."""
    while True:  # no longer than pytest's own limit
        try:
            return s3_client(settings).get_object(settings.s3_bucket, name).data
        except S3Error as error:
            if error.code != "InternalError":
                raise
        except HTTPError:
            pass  # it is too busy to answer in time
        time.sleep(0.05)


def _store_until_it_ends(settings: Settings, stored: dict[str, bytes]) -> None:
    client = s3_client(settings)
    # Large enough for several chunks, for which SeaweedFS opens internal connections that delay its stop.
    while data := os.urandom(6_000_000):
        name = uuid4().hex
        client.put_object(settings.s3_bucket, name, io.BytesIO(data), len(data))
        stored[name] = data
