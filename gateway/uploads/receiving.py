"""Receives an uploaded file: a little at a time, onto the disk, with its checksum."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import BinaryIO, NamedTuple

from gateway.problems import Problem, unavailable
from gateway.uploads.formats import HEAD, NAMES, format_of
from shared.uploaded_files import MAX_UPLOAD_BYTES, UploadFormat

# Bytes that are collected before they are written; the client waits meanwhile.
WRITTEN_AT_ONCE = 256 * 1024


class Received(NamedTuple):
    """A file that has arrived completely."""

    format: UploadFormat
    size: int
    sha256: str


class Receiver:
    """Writes what arrives to `file`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._waiting = bytearray()
        self._size = 0
        self._format: UploadFormat | None = None

    async def receive(self, chunks: AsyncIterator[bytes]) -> Received:
        """Receive a file up to its end. Its format is checked as soon as it can be.

        Raises:
            Problem: 413 if it is too large, 415 if it has another format, 422 if it is empty, 503 if the disk is full.
        """
        async for chunk in chunks:
            self._size += len(chunk)
            if self._size > MAX_UPLOAD_BYTES:
                raise too_large()
            self._waiting += chunk
            if self._format is None and self._size >= HEAD:
                self._format = self._recognised()
            if len(self._waiting) >= WRITTEN_AT_ONCE:
                await self._write()
        if not self._size:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The file is empty.")
        found = self._format or self._recognised()
        await self._write()
        self._file.seek(0)
        return Received(found, self._size, self._digest.hexdigest())

    def _recognised(self) -> UploadFormat:
        """The format by the first bytes, which are still waiting."""
        found = format_of(bytes(self._waiting[:HEAD]))
        if found is None:
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"The content is none of {NAMES}. Convert it first.")
        return found

    async def _write(self) -> None:
        data = bytes(self._waiting)
        self._waiting.clear()
        try:
            await asyncio.to_thread(self._append, data)
        except OSError as error:
            raise unavailable(f"The gateway's disk cannot be written: {error.strerror}.", retry_after=30) from error

    def _append(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)
        self._file.flush()


def too_large() -> Problem:
    """413 for a file above the limit."""
    limit = MAX_UPLOAD_BYTES // 2**20
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"A file may have at most {limit} MiB. Upload a part of it.")
