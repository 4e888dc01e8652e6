"""`musicgen admin backup` and `restore`: the queue, the events, the records and the audio, as files.

The order keeps a backup of a running system consistent. The queue is copied before the records: a job accepted in
between has a record without a message, and the gateway queues it again. The records are copied before the audio,
because audio is stored before its record refers to it. A restore runs in the reverse order.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import nats.js.errors
from minio.datatypes import Object
from minio.helpers import MIN_PART_SIZE
from nats.aio.client import Client

from deploy.cli.admin_connection import admin_environment, connected_bus, open_records
from deploy.cli.stream_snapshots import restore_stream, save_stream
from shared import subjects
from shared.bus import AWAY, Bus
from shared.errors import MusicgenError, UnavailableError
from shared.files import Audio, Output
from shared.record_feed import STREAM, read_records
from shared.records import Records
from shared.settings import load_settings
from shared.storage import Storage
from shared.version import VERSION

STREAMS = (subjects.JOBS_STREAM, subjects.EVENTS_STREAM, STREAM)
# Written last, so a folder without it holds no complete backup.
MANIFEST = "backup.json"
METADATA_PREFIX = "x-amz-meta-"


class SavedObject(msgspec.Struct, frozen=True):
    """An object in a backup. `file` is its file name, because a key may be no valid file name."""

    key: str
    file: str
    content_type: str
    metadata: dict[str, str]


class BackupBucket(Storage):
    """The whole audio bucket. Methods raise UnavailableError if S3 is unreachable or refuses the request."""

    async def keys(self) -> list[str]:
        """Return the key of every object."""

        def list_keys() -> list[str]:
            return [item.object_name or "" for item in self._client.list_objects(self.bucket, recursive=True)]

        return await self._call(list_keys)

    async def save(self, key: str, file: Path) -> SavedObject:
        """Copy an object, its content type and its metadata into a backup."""

        def fetch() -> Object:
            self._client.fget_object(self.bucket, key, str(file))
            return self._client.stat_object(self.bucket, key)

        found = await self._call(fetch)
        headers = {name.lower(): str(value) for name, value in (found.metadata or {}).items()}
        metadata = {
            name.removeprefix(METADATA_PREFIX): value
            for name, value in headers.items()
            if name.startswith(METADATA_PREFIX)
        }
        return SavedObject(key, file.name, found.content_type or "application/octet-stream", metadata)

    async def restore(self, saved: SavedObject, file: Path) -> None:
        """Store a saved object under its original key."""
        size = (await asyncio.to_thread(file.stat)).st_size
        await self._call(
            lambda: self._client.fput_object(
                self.bucket,
                saved.key,
                str(file),
                content_type=saved.content_type,
                metadata=dict(saved.metadata),
                part_size=max(size, MIN_PART_SIZE),
            )
        )


async def back_up(folder: Path, data_dir: Path | None) -> None:
    """Copy everything into a new folder. Gateways and workers may be running.

    Raises:
        MusicgenError: if the folder is not empty, or NATS or S3 is unreachable.
    """
    environ = admin_environment(data_dir)
    bucket = BackupBucket(load_settings(environ))
    await bucket.check()
    _create_folder(folder)
    async with connected_bus(environ) as bus:
        streams = [await _save_stream(bus, name, folder) for name in STREAMS]
        records = await _count_records(bus.client)
    saved = [each async for each in _save_objects(bucket, folder)]
    manifest = {"version": VERSION, "streams": streams, "objects": msgspec.to_builtins(saved)}
    await asyncio.to_thread((folder / MANIFEST).write_text, json.dumps(manifest, indent=1))
    print(f"{records} records and {len(saved)} objects are saved in {folder}.")


async def restore(folder: Path, data_dir: Path | None) -> None:
    """Load a backup into empty servers. No gateway and no worker may be running.

    Raises:
        MusicgenError: if the folder holds no complete backup, or the servers already hold jobs.
    """
    manifest = await asyncio.to_thread(_read_manifest, folder)
    environ = admin_environment(data_dir)
    bucket = BackupBucket(load_settings(environ))
    await bucket.check()
    async with connected_bus(environ) as bus:
        for name in STREAMS:
            await _delete_empty_stream(bus, name)
        saved = msgspec.convert(manifest["objects"], list[SavedObject])
        for each in saved:
            await bucket.restore(each, folder / "objects" / each.file)
        for description in reversed(manifest["streams"]):
            await _restore_stream(bus, description, folder)
        records = await open_records(bus)
        lost = await _mark_missing_audio(bus.client, records, set(await bucket.keys()))
        count = await _count_records(bus.client)
    print(f"{count} records and {len(saved)} objects are restored. Start gateways and workers now.")
    if lost:
        print(f"Files of {lost} jobs are not in the backup. Their downloads answer 410 with the recipe.")


def _create_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        if any(folder.iterdir()):
            raise MusicgenError(f"{folder} is not empty. Give a new folder.")
        (folder / "objects").mkdir()
    except OSError as error:
        raise MusicgenError(f"{folder} cannot be written: {error.strerror}. Give another folder.") from error


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
        return manifest
    except (OSError, ValueError) as error:
        raise MusicgenError(
            f"{folder} holds no complete backup: its {MANIFEST} cannot be read ({error}). Give another folder."
        ) from error


def _archive(folder: Path, name: str) -> Path:
    return folder / f"{name}.tar.s2"


async def _save_stream(bus: Bus, name: str, folder: Path) -> dict[str, Any]:
    with _archive(folder, name).open("xb") as file:
        return await save_stream(bus.client, name, file)


async def _restore_stream(bus: Bus, description: dict[str, Any], folder: Path) -> None:
    with _archive(folder, description["config"]["name"]).open("rb") as file:
        await restore_stream(bus.client, description, file)


async def _save_objects(bucket: BackupBucket, folder: Path) -> Any:
    for number, key in enumerate(await bucket.keys()):
        try:
            yield await bucket.save(key, folder / "objects" / f"{number:08}")
        except UnavailableError:
            if key in await bucket.keys():
                raise
            # It expired in the meantime; `restore` marks its record.


async def _delete_empty_stream(bus: Bus, name: str) -> None:
    """Delete a stream that is still as empty as a gateway creates it.

    Raises:
        MusicgenError: if it has messages.
    """
    try:
        messages = (await bus.js.stream_info(name)).state.messages
        if messages and name == STREAM:
            messages = await _count_records(bus.client)  # not counting deletion markers
        if messages:
            raise MusicgenError(f"The NATS stream {name} already has messages. Restore into a new NATS server.")
        await bus.js.delete_stream(name)
    except nats.js.errors.NotFoundError:
        return
    except (nats.js.errors.APIError, *AWAY) as error:
        raise UnavailableError(f"The stream {name} cannot be read: {error!r}") from error


async def _count_records(client: Client) -> int:
    return len([each async for each in read_records(client)])


async def _mark_missing_audio(client: Client, records: Records, stored: set[str]) -> int:
    """Mark files that are missing from the bucket in their records; return the number of jobs affected."""
    missing: list[tuple[str, Audio | Output]] = []
    async for (record, _), _ in read_records(client):
        files = record.files if record.keeps_audio else ()
        missing += [(record.job_id, file) for file in files if file.key not in stored]
    for job_id, file in missing:
        await records.mark_lost(job_id, file)
    return len({job_id for job_id, _ in missing})
