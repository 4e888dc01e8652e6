"""Verifies stored objects against their records before a client gets them."""

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Literal

import aiohttp

from shared.bounded import BoundedDict
from shared.errors import UnavailableError
from shared.files import Audio, Output
from shared.storage import Storage

CHUNK = 256 * 1024
# Seconds for a HEAD request.
HEAD_TIMEOUT = 5.0
# Checked objects that are remembered: their content was read and is correct.
REMEMBERED = 10_000

StoredFile = Audio | Output


class LostError(Exception):
    """A file is missing from the store or has different content."""

    def __init__(self, file: StoredFile, reason: str) -> None:
        super().__init__(f"{file.key} {reason}")
        self.file = file


class StoredFiles:
    """Reads the bucket with the gateway's key.

    A file is lost only if its object is missing or differs in length or content. An error, a refusal or a missing
    bucket says nothing about the file.
    """

    def __init__(self, storage: Storage, http: aiohttp.ClientSession) -> None:
        self._storage = storage
        self._http = http
        self._read = BoundedDict[tuple[str, str], None](REMEMBERED)

    async def check(self, file: StoredFile) -> None:
        """Check that the store has a file as it was uploaded.

        This costs a HEAD request. If the ETag differs from the upload's, as after a restore from a backup, the object
        is read once and its content compared.

        Raises:
            LostError: if the file is missing or differs.
            UnavailableError: if the store does not answer.
        """
        async with self._request("HEAD", file) as answer:
            known = self._is_known(answer.headers, file)
        if not known:
            await self._compare(file)

    @asynccontextmanager
    async def opened(self, file: StoredFile, wanted: range) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes `wanted` of a file, in chunks. The last chunk of a whole file follows only after its checksum.

        Raises:
            LostError: at entry or while reading, if the object is missing or differs.
            UnavailableError: at entry, if S3 is away or sends a different number of bytes.
            aiohttp.ClientError, TimeoutError: while reading, if the connection to S3 breaks.
        """
        is_whole = len(wanted) == file.size
        async with self._request(
            "GET", file, None if is_whole else f"bytes={wanted.start}-{wanted.stop - 1}"
        ) as answer:
            if not self._is_known(answer.headers, file):
                await self._compare(file)
            if not is_whole and answer.content_length != len(wanted):
                raise UnavailableError(f"S3 sends {answer.content_length} bytes instead of {len(wanted)}.")
            yield self._whole(answer, file) if is_whole else answer.content.iter_chunked(CHUNK)

    async def _compare(self, file: StoredFile) -> None:
        async with self._request("GET", file) as answer:
            try:
                async for _ in self._whole(answer, file):
                    pass
            except (TimeoutError, aiohttp.ClientError) as error:
                raise UnavailableError(f"S3 is away: {error!r}") from error

    async def _whole(self, answer: aiohttp.ClientResponse, file: StoredFile) -> AsyncIterator[bytes]:
        """The bytes of a whole file. Raises: LostError instead of the last chunk if the content differs."""
        digest, held = hashlib.sha256(), b""
        async for chunk in answer.content.iter_chunked(CHUNK):
            if held:
                yield held
            digest.update(chunk)
            held = chunk
        if digest.hexdigest() != file.sha256:
            raise LostError(file, "has other content than the upload")
        self._remember(file, answer.headers)
        yield held

    @asynccontextmanager
    async def _request(
        self, method: Literal["GET", "HEAD"], file: StoredFile, wanted: str | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The store's answer with the expected status and length.

        Raises:
            LostError: if the object is missing or has another length.
            UnavailableError: if the store does not answer, or answers with another status.
        """
        headers = {"Accept-Encoding": "identity"} | ({"Range": wanted} if wanted else {})
        timeout = aiohttp.ClientTimeout(total=HEAD_TIMEOUT) if method == "HEAD" else None
        url = self._storage.internal_url(method, file.key)
        try:
            answer = await self._http.request(method, url, headers=headers, timeout=timeout or self._http.timeout)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise UnavailableError(f"S3 is away: {error!r}") from error
        async with answer:
            await self._check_answer(answer, file, HTTPStatus.PARTIAL_CONTENT if wanted else HTTPStatus.OK)
            yield answer

    async def _check_answer(self, answer: aiohttp.ClientResponse, file: StoredFile, expected: HTTPStatus) -> None:
        if answer.status == HTTPStatus.NOT_FOUND:
            await self._storage.check()  # a missing bucket gives 404 for every object
            raise LostError(file, "is missing from the store")
        size = _total(answer)
        if size is not None and size != file.size:
            raise LostError(file, f"has {size} bytes instead of {file.size}")
        if answer.status != expected:
            raise UnavailableError(f"S3 answered {answer.status} instead of the file.")

    def _is_known(self, headers: Mapping[str, str], file: StoredFile) -> bool:
        """Whether the object is the worker's upload by its ETag, or its content was compared before."""
        etag = _etag(headers)
        if (file.key, etag) in self._read:
            return True
        if file.s3_etag is not None:
            return etag == file.s3_etag
        return headers.get("X-Amz-Meta-Sha256") == file.sha256

    def _remember(self, file: StoredFile, headers: Mapping[str, str]) -> None:
        if etag := _etag(headers):
            self._read[file.key, etag] = None


def _etag(headers: Mapping[str, str]) -> str:
    return headers.get("ETag", "").strip('"')


def _total(answer: aiohttp.ClientResponse) -> int | None:
    """The object's length in bytes, if the answer has it."""
    if answer.status == HTTPStatus.OK:
        return answer.content_length
    if answer.status in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
        match = re.fullmatch(r"bytes .*/(\d+)", answer.headers.get("Content-Range", ""))
        return int(match[1]) if match else None
    return None
