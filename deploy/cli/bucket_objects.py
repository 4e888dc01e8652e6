"""The audio bucket as files, for a backup: each object with its content type and metadata."""

import asyncio
from pathlib import Path

import msgspec
from minio.datatypes import Object
from minio.helpers import MIN_PART_SIZE

from shared.storage import Storage

META = "x-amz-meta-"


class Saved(msgspec.Struct, frozen=True):
    """An object in a backup. `file` is its name there: a key may be none that a folder can hold."""

    key: str
    file: str
    content_type: str
    metadata: dict[str, str]


class Bucket(Storage):
    """All of the bucket. Methods raise UnavailableError while S3 is away or refuses."""

    async def keys(self) -> list[str]:
        """The key of every object."""

        def look() -> list[str]:
            return [item.object_name or "" for item in self._client.list_objects(self.bucket, recursive=True)]

        return await self._call(look)

    async def save(self, key: str, file: Path) -> Saved:
        """Copy an object into a file."""

        def fetch() -> Object:
            self._client.fget_object(self.bucket, key, str(file))
            return self._client.stat_object(self.bucket, key)

        found = await self._call(fetch)
        headers = {name.lower(): str(value) for name, value in (found.metadata or {}).items()}
        metadata = {name.removeprefix(META): value for name, value in headers.items() if name.startswith(META)}
        return Saved(key, file.name, found.content_type or "application/octet-stream", metadata)

    async def restore(self, saved: Saved, file: Path) -> None:
        """Store a saved object under the key that it had."""
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
