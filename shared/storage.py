"""The audio bucket, over the S3 protocol. minio-py is synchronous, so every call runs in a thread."""

import asyncio
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.datatypes import Object
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, S3Error, ServerError
from minio.helpers import MIN_PART_SIZE
from msgspec.structs import replace
from urllib3 import BaseHTTPResponse

from shared.errors import BucketError, SettingsError, UnavailableError
from shared.files import ALL_JOBS_PREFIX, Output, content_type, job_prefix, output_key
from shared.metrics import FAILED_WRITES
from shared.settings import Settings

T = TypeVar("T")

PRESIGNED_FOR = timedelta(minutes=10)
# A download renews the record that keeps the audio, at most this often.
RENEWED_EVERY = timedelta(minutes=5)
# Audio whose record changed within this time may still be downloading: clients get 15 minutes for that.
IN_USE = PRESIGNED_FOR + RENEWED_EVERY + timedelta(minutes=15)
# Of the headers that hold an object's metadata.
METADATA_PREFIX = "x-amz-meta-"
# Objects per listing request: S3's own page size.
PAGE = 1000
# How long the other files of a job with lost audio are kept: the gateway may have looked into the wrong bucket, and an
# operator can still recover the files.
LOST_KEPT = timedelta(days=1)
# S3 error codes that a retry does not resolve: the bucket or the keys are wrong.
CLOSED = frozenset({"NoSuchBucket", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
CONNECT_TIMEOUT = 2.0
READ_TIMEOUT = 30.0


class StoredObject(NamedTuple):
    """An object in the bucket; `stored_at` is in UTC by the store's clock, `size` in bytes."""

    key: str
    stored_at: datetime
    size: int = 0


class Upload(NamedTuple):
    """A finished upload: the object's key and the ETag that the store returned."""

    key: str
    etag: str | None


class Storage:
    """The audio bucket. Methods raise UnavailableError while S3 is away or refuses a request."""

    def __init__(self, settings: Settings) -> None:
        self.bucket = settings.s3_bucket
        self._client = _client(settings, settings.s3_endpoint)
        self._signer = _client(settings, settings.s3_public_endpoint or settings.s3_endpoint)

    async def check(self) -> None:
        """Check that the bucket can be reached with these keys.

        Raises:
            BucketError: if the bucket is missing or the keys are refused.
            UnavailableError: if S3 is away.
        """
        if not await self._call(lambda: self._client.bucket_exists(self.bucket)):
            raise BucketError(f"S3 has no bucket {self.bucket}: create it, or set S3_BUCKET.")

    async def put_audio(self, job_id: str, file: Path, metadata: dict[str, str]) -> Upload:
        """Store a job's audio, under the file's own name, with its recipe as metadata."""
        return await self._put(output_key(job_id, file.name), file, metadata)

    async def put_output(self, output: Output, file: Path, metadata: dict[str, str]) -> Output:
        """Store an output under its key; returns its description with the ETag."""
        upload = await self._put(output.key, file, metadata)
        return replace(output, s3_etag=upload.etag)

    async def remove_job(self, job_id: str) -> None:
        """Delete all files of a job; it is fine if there are none."""

        def remove() -> None:
            found = self._client.list_objects(self.bucket, prefix=job_prefix(job_id), recursive=True)
            names = [DeleteObject(item.object_name) for item in found if item.object_name]
            for error in self._client.remove_objects(self.bucket, names):
                raise UnavailableError(f"S3 cannot delete {error.name}: {error.message}")

        await self._call(remove)

    async def put_uploaded(self, key: str, file: BinaryIO, size: int, kind: str, metadata: dict[str, str]) -> None:
        """Store a client's file; `kind` is its content type."""
        await self._call(lambda: self._put_content(key, file, size, kind, metadata))

    async def find_uploaded(self, key: str) -> dict[str, str] | None:
        """The metadata of a client's file; None if there is no such object."""

        def look() -> dict[str, str] | None:
            try:
                headers = self._client.stat_object(self.bucket, key).metadata or {}
            except S3Error as error:
                if error.code == "NoSuchKey":
                    return None
                raise
            return {name.lower().removeprefix(METADATA_PREFIX): value for name, value in headers.items()}

        return await self._call(look)

    async def fetch(self, key: str, file: BinaryIO) -> bool:
        """Write an object to `file`, which is then at its start; False if there is no such object."""

        def write(answer: BaseHTTPResponse) -> bool:
            shutil.copyfileobj(answer, file)
            file.seek(0)
            return True

        return await self._get(key, write) or False

    async def read(self, key: str, most: int) -> bytes | None:
        """The first `most` bytes of a small object; None if there is no such object."""
        return await self._get(key, lambda answer: answer.read(most))

    async def remove_uploaded(self, key: str) -> None:
        """Delete a client's file; it is fine if there is none."""
        await self._call(lambda: self._client.remove_object(self.bucket, key))

    async def page(self, after: str, prefix: str = ALL_JOBS_PREFIX) -> list[StoredObject]:
        """List up to PAGE objects with the prefix after the key `after`, in key order."""

        def look() -> list[StoredObject]:
            found = self._client.list_objects(self.bucket, prefix=prefix, recursive=True, start_after=after or None)
            return [_stored(item) for item in islice(found, PAGE)]

        return await self._call(look)

    def internal_url(self, method: Literal["GET", "HEAD"], key: str) -> str:
        """A presigned URL on the internal endpoint, for the gateway's own requests."""
        return str(self._client.get_presigned_url(method, self.bucket, key, expires=PRESIGNED_FOR))

    def public_url(self, key: str, disposition: str) -> str:
        """A URL on the public endpoint that serves the object for ten minutes. Signed offline.

        Args:
            key: of the object.
            disposition: the header Content-Disposition of the answer.
        """
        headers: dict[str, str | list[str] | tuple[str]] = {"response-content-disposition": disposition}
        return str(self._signer.presigned_get_object(self.bucket, key, expires=PRESIGNED_FOR, response_headers=headers))

    async def _get(self, key: str, read: Callable[[BaseHTTPResponse], T]) -> T | None:
        """What `read` returns for an object; None if there is no such object."""

        def get() -> T | None:
            try:
                answer = self._client.get_object(self.bucket, key)
            except S3Error as error:
                if error.code == "NoSuchKey":
                    return None
                raise
            try:
                return read(answer)
            finally:
                answer.close()
                answer.release_conn()

        return await self._call(get)

    async def _put(self, key: str, file: Path, metadata: dict[str, str]) -> Upload:
        def put() -> str | None:
            with file.open("rb") as content:
                return self._put_content(key, content, file.stat().st_size, content_type(key), metadata)

        try:
            return Upload(key, await self._call(put))
        except UnavailableError:
            FAILED_WRITES.labels("object").inc()
            raise

    def _put_content(self, key: str, content: BinaryIO, size: int, kind: str, metadata: dict[str, str]) -> str | None:
        result = self._client.put_object(
            self.bucket,
            key,
            content,
            size,
            content_type=kind,
            metadata=dict(metadata),
            # A single part: parts of an aborted multipart upload appear in no listing and are never removed.
            part_size=max(size, MIN_PART_SIZE),
        )
        return result.etag or None

    async def _call(self, function: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(function)
        except S3Error as error:
            kind = BucketError if error.code in CLOSED else UnavailableError
            raise kind(f"S3 refused: {error.code}. {_remedy(str(error.code))}") from error
        except (InvalidResponseError, ServerError, urllib3.exceptions.HTTPError, OSError) as error:
            raise UnavailableError(f"S3 is away: {error}") from error


def _remedy(code: str) -> str:
    if code in ("InternalError", "SlowDown", "ServiceUnavailable", "XMinioStorageFull", "InsufficientStorage"):
        return "Check its disk space and its log."
    if code == "RequestTimeTooSkewed":
        return "Set this machine's clock, or S3's."
    return "Check S3_ACCESS_KEY, S3_SECRET_KEY, S3_BUCKET."


def _stored(item: Object) -> StoredObject:
    return StoredObject(item.object_name or "", item.last_modified or datetime.now(UTC), item.size or 0)


def _client(settings: Settings, endpoint: str) -> Minio:
    if not (settings.s3_access_key and settings.s3_secret_key):
        raise SettingsError("S3_ACCESS_KEY and S3_SECRET_KEY must be set to the keys of the S3 server.")
    url = urlsplit(endpoint)
    return Minio(
        url.netloc,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        secure=url.scheme == "https",
        region=settings.s3_region,  # given, so that presigning needs no request
        http_client=urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT, read=READ_TIMEOUT),
            retries=urllib3.Retry(total=1, backoff_factor=0.2),
            maxsize=16,
        ),
    )
