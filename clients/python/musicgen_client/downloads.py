"""Downloads that are whole or fail: an error's body or damaged bytes never become a file."""

import asyncio
import hashlib
import re
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import aiohttp

from musicgen_client.errors import TransferError
from musicgen_client.transport import Transport

CHUNK = 256 * 1024
# The gateway's ETag of a file is its SHA-256.
_SHA256_ETAG = re.compile(r'"([0-9a-f]{64})"')


async def read_file(transport: Transport, path: str, sha256: str | None = None) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a file of the gateway. Only after the last one it is certain that all are right.

    Args:
        transport: the gateway's.
        path: of the file.
        sha256: of the whole file in hex; None takes the gateway's ETag, where it is a checksum.

    Raises:
        TransferError: if the transfer breaks off, or the checksum differs.
        ClientError: if the gateway sends no file.
    """
    digest = hashlib.sha256()
    async with transport.file(path) as response:
        etag = _SHA256_ETAG.fullmatch(response.headers.get("ETag", ""))
        expected = sha256 or (etag and etag[1])
        try:
            async for chunk in response.content.iter_chunked(CHUNK):
                digest.update(chunk)
                yield chunk
        except aiohttp.ClientPayloadError as error:
            raise TransferError("The download was interrupted. Start it again.") from error
    if expected and digest.hexdigest() != expected:
        raise TransferError(f"The bytes of {path} differ from the stored file. Download it again.")


async def save_file(transport: Transport, path: str, target: Path, sha256: str | None = None) -> None:
    """Save a file of the gateway at `target`, which is replaced once the whole file is there.

    Raises:
        ClientError: as `read_file` does. `target` is unchanged then.
        OSError: if the file cannot be written.
    """
    part = target.with_name(f".{secrets.token_hex(6)}.part")
    try:
        with part.open("xb") as file:
            async with aclosing(read_file(transport, path, sha256)) as chunks:
                async for chunk in chunks:
                    await asyncio.to_thread(file.write, chunk)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
