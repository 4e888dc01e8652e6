"""Accepts, finds and removes uploaded files. S3 alone knows them: each object's metadata describes it."""

import asyncio
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import BinaryIO

import msgspec

from gateway.problems import Problem, too_many, unavailable
from gateway.uploads.receiving import Received, Receiver
from gateway.uploads.sandbox import examine
from gateway.uploads.verdict import Verdict
from shared.errors import UnavailableError
from shared.files import content_type
from shared.logs import get_logger
from shared.messages import UNDECODABLE, encode, now
from shared.storage import PAGE, Storage
from shared.uploaded_files import UploadedFile, is_audio_id, new_audio_id, upload_key, uploads_of

log = get_logger(__name__)

# Files that one gateway receives at a time: each needs up to 64 MiB of its temporary folder, and then a process.
AT_ONCE = 3
# Seconds for which an upload waits for others.
PATIENCE = 60.0
# The name of an object's metadata.
DESCRIPTION = "upload"
# Files of one key, as many as one page of a listing has.
MOST_FILES = PAGE
QUOTA_RETRY_AFTER = 3600

_decode = msgspec.json.Decoder(UploadedFile).decode


class Uploads:
    """Files in the bucket under `uploads/`, of one gateway.

    Args:
        storage: the bucket.
        most_bytes: of all files of one key.
    """

    def __init__(self, storage: Storage, most_bytes: int) -> None:
        self._storage = storage
        self._most_bytes = most_bytes
        self._places = asyncio.Semaphore(AT_ONCE)
        self._storing: defaultdict[str | None, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def accept(self, chunks: AsyncIterator[bytes], owner: str | None, sha256: str | None = None) -> UploadedFile:
        """Receive, check and store a file. What is refused or aborted leaves nothing.

        Args:
            chunks: the file as it arrives.
            owner: the name of the request's API key.
            sha256: the checksum that the client states, in hex.

        Raises:
            Problem: 413, 415 or 422 with the reason; 429 if the key's limit is reached; 503 if too many are arriving.
            UnavailableError: while S3 is away.
        """
        async with self.place():
            await self._check_quota(owner, 1)
            with tempfile.TemporaryFile() as file:
                received = await Receiver(file).receive(chunks)
                if sha256 not in (None, received.sha256):
                    message = f"The SHA-256 of the content is {received.sha256}, not {sha256}. Upload it again."
                    raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, message)
                verdict = await examine(file, received.format)
                async with self._storing[owner]:
                    await self._check_quota(owner, received.size)
                    return await self._store(file, _describe(received, verdict), owner)

    async def find(self, audio_id: str, owner: str | None) -> UploadedFile:
        """The description of a file.

        Raises:
            Problem: 404 if the key has no such file.
            UnavailableError: while S3 is away.
        """
        metadata = None
        if is_audio_id(audio_id):
            metadata = await self._storage.find_uploaded(upload_key(owner, audio_id))
        try:
            if metadata is not None:
                return _decode(metadata.get(DESCRIPTION, ""))
        except UNDECODABLE as error:
            log.warning("an uploaded file has no valid description", audio_id=audio_id, error=str(error))
        shown = audio_id[:40]
        raise Problem(
            HTTPStatus.NOT_FOUND, f"There is no uploaded file {shown!r}: it has expired, or it was deleted. Upload it."
        )

    async def remove(self, audio_id: str, owner: str | None) -> None:
        """Delete a file. Jobs that were made of it keep their music.

        Raises:
            Problem: 404 if the key has no such file.
            UnavailableError: while S3 is away.
        """
        await self.find(audio_id, owner)
        await self._storage.remove_uploaded(upload_key(owner, audio_id))

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait until another file may be received or decoded, and hold its place.

        Raises:
            Problem: 503 if that takes too long.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                await self._places.acquire()
        except TimeoutError as error:
            raise unavailable("Too many files are being received now.", retry_after=10) from error
        try:
            yield
        finally:
            self._places.release()

    async def _check_quota(self, owner: str | None, size: int) -> None:
        stored = await self._storage.page("", uploads_of(owner))
        total = sum(each.size for each in stored)
        if len(stored) >= MOST_FILES or total + size > self._most_bytes:
            raise too_many(
                f"{len(stored)} uploaded files of {total} bytes are stored, and at most {MOST_FILES} of "
                f"{self._most_bytes} bytes together are kept. Delete some: DELETE /api/v1/audio/ID.",
                QUOTA_RETRY_AFTER,
            )

    async def _store(self, file: BinaryIO, described: UploadedFile, owner: str | None) -> UploadedFile:
        key = upload_key(owner, described.audio_id)
        metadata = {DESCRIPTION: encode(described).decode()}
        kind = content_type(f"file.{described.format}")
        storing = asyncio.ensure_future(self._storage.put_uploaded(key, file, described.size, kind, metadata))
        try:
            await asyncio.shield(storing)
        except (asyncio.CancelledError, UnavailableError):
            # The client is gone and never learns the id, or the store's answer was lost. The file is open until then.
            with suppress(UnavailableError):
                await asyncio.wait([storing])
                await self._storage.remove_uploaded(key)
            raise
        log.info("file uploaded", audio_id=described.audio_id, format=described.format, size=described.size)
        return described


def _describe(received: Received, verdict: Verdict) -> UploadedFile:
    return UploadedFile(
        audio_id=new_audio_id(),
        kind="midi" if received.format == "mid" else "audio",
        format=received.format,
        size=received.size,
        duration=round(verdict.duration, 6),
        sample_rate=verdict.sample_rate,
        channels=verdict.channels,
        sha256=received.sha256,
        created_at=now(),
    )
