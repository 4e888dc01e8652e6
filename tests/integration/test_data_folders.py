"""Data folders with characters that are special to nats-server, SeaweedFS, a shell, a URL or a terminal."""

import os
from collections.abc import Iterator
from pathlib import Path

import nats
import pytest

from shared.files import audio_key
from shared.settings import load_settings
from shared.storage import Storage
from tests.integration.jobs import store
from tests.servers import embedded_nats, embedded_s3

AWKWARD = {
    "comma": "a,b",
    "quotes and blanks": 'it\'s "mine"',
    "shell and configuration": "$HOME ${X} $(id) # // {} 100%20 *[a]? a:b;c&d=e",
    "newline and backslash": "two\nlines\\",
    "not ascii": "Müsik 音楽 🎵",
    "not utf-8": os.fsdecode(b"\xff\xfe"),
    "dash": "-dir=x",
    "tilde": "~",
    "94 characters": "x" * 94,
    "2000 characters": "/".join(["z" * 200] * 10),
}


@pytest.fixture(params=list(AWKWARD.values()), ids=list(AWKWARD))
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    folder: Path = tmp_path / request.param
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(autouse=True)
def _nothing_outside(tmp_path: Path, folder: Path) -> Iterator[None]:
    """Check that the servers write only to the data folder."""
    expected = {tmp_path, folder, *folder.parents}
    yield
    outside = [each for each in tmp_path.rglob("*") if each not in expected and not each.is_relative_to(folder)]
    assert outside == []


async def test_nats_keeps_its_store_in_a_folder_of_any_name(folder: Path) -> None:
    server, urls = embedded_nats(folder)
    await server.start_again()
    try:
        client = await nats.connect(urls["operator"])
        bucket = await client.jetstream().create_key_value(bucket="notes")
        await bucket.put("a", b"kept")
        await client.close()
        assert list((folder / "nats" / "jetstream").rglob("KV_notes"))
    finally:
        server.stop()
    await server.start_again()
    try:
        client = await nats.connect(urls["operator"])
        assert (await (await client.jetstream().key_value("notes")).get("a")).value == b"kept"
        await client.close()
    finally:
        server.stop()


async def test_s3_keeps_its_objects_in_a_folder_of_any_name(folder: Path) -> None:
    server, settings = embedded_s3(folder)
    await server.start_again()
    try:
        storage = Storage(load_settings(settings["operator"]))
        key, _ = await store(storage, audio_key("gen_abc123456789"), b"RIFF" * 4096)
        assert [each.key for each in await storage.page("")] == [key]
        assert list((folder / "s3").glob("*.dat"))
        # Only its log, written by the test harness, and its own files.
        assert {each.name for each in folder.iterdir()} == {"credentials.json", "s3", "s3.json", "s3.log"}
    finally:
        server.stop()
