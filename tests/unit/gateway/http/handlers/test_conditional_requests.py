"""Preconditions and ranges of proxied downloads (RFC 9110)."""

import hashlib

import pytest

from tests.unit.gateway.conftest import Api
from tests.unit.gateway.http.handlers.bucket import Bucket
from tests.unit.gateway.samples import AUDIO, job_id

URL = f"/api/v1/download/{job_id(1)}"
ETAG = f'"{hashlib.sha256(AUDIO).hexdigest()}"'


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": ETAG}, 304),
        ({"If-None-Match": f"W/{ETAG}"}, 304),
        ({"If-None-Match": f'"other", W/"another", {ETAG}'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"other"'}, 200),
        ({"If-None-Match": "no tag"}, 200),
        ({"If-None-Match": '"other"', "If-Modified-Since": "Fri, 02 Jan 2026 00:00:00 GMT"}, 200),
        ({"If-Modified-Since": "Thu, 01 Jan 2026 12:00:00 GMT"}, 304),
        ({"If-Modified-Since": "Thu, 01 Jan 2026 11:59:59 GMT"}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-Match": ETAG}, 200),
        ({"If-Match": f'"other", {ETAG}'}, 200),
        ({"If-Match": "*"}, 200),
        ({"If-Match": '"other"'}, 412),
        ({"If-Match": f"W/{ETAG}"}, 412),
        ({"If-Match": ETAG, "If-Unmodified-Since": "Wed, 31 Dec 2025 00:00:00 GMT"}, 200),
        ({"If-Unmodified-Since": "Wed, 31 Dec 2025 00:00:00 GMT"}, 412),
        ({"If-Unmodified-Since": "Thu, 01 Jan 2026 12:00:00 GMT"}, 200),
        ({"If-Match": ETAG, "If-None-Match": ETAG}, 304),
        ({"If-None-Match": ETAG, "Range": "bytes=1-2"}, 304),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_proxied_download_evaluates_preconditions(
    api: Api, s3: Bucket, method: str, headers: dict[str, str], status: int
) -> None:
    async with api.request(method, f"{URL}?proxy=1", headers=headers) as response:
        assert response.status == status
        body = await response.read()
    assert (body == AUDIO) == (method == "GET" and status == 200)
    if status in (200, 304):
        assert response.headers["ETag"] == ETAG
        assert response.headers["Last-Modified"] == "Thu, 01 Jan 2026 12:00:00 GMT"
    if status == 304:
        assert body == b""


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"Range": "bytes=0-"}, (0, 43)),
        ({"Range": "BYTES=40-"}, (40, 43)),
        ({"Range": "bytes=-5"}, (39, 43)),
        ({"Range": "bytes=-500"}, (0, 43)),
        ({"Range": "bytes=43-9999"}, (43, 43)),
        ({"Range": f"bytes=40-{'9' * 30}"}, (40, 43)),
        ({"Range": "bytes=0-0"}, (0, 0)),
        ({"Range": "bytes=4-7", "If-Range": ETAG}, (4, 7)),
        ({"Range": "bytes=4-7", "If-Range": '"other"'}, None),
        ({"Range": "bytes=4-7", "If-Range": f"W/{ETAG}"}, None),
        ({"Range": "bytes=4-7", "If-Range": "Thu, 01 Jan 2026 12:00:00 GMT"}, None),
        ({"Range": "bytes=0-1,4-5"}, None),
        ({"Range": "bytes=7-4"}, None),
        ({"Range": "bytes=-"}, None),
        ({"Range": "bytes=a-b"}, None),
        ({"Range": "bytes"}, None),
        ({"Range": "bars=1-2"}, None),
        ({"Range": f"bytes=0-{'9' * 5000}"}, None),
    ],
)
async def test_a_proxied_range_has_the_requested_bytes(
    api: Api, s3: Bucket, headers: dict[str, str], found: tuple[int, int] | None
) -> None:
    async with api.get(f"{URL}?proxy=1", headers=headers) as response:
        first, last = found or (0, 43)
        assert response.status == (206 if found else 200)
        assert response.headers.get("Content-Range") == (f"bytes {first}-{last}/44" if found else None)
        assert response.headers["Content-Length"] == str(last - first + 1)
        assert await response.read() == AUDIO[first : last + 1]


@pytest.mark.parametrize("wanted", ["bytes=44-", "bytes=99-100", "bytes=-0", f"bytes={'9' * 30}-"])
async def test_a_range_outside_the_file_is_a_416_with_the_size(api: Api, s3: Bucket, wanted: str) -> None:
    async with api.get(f"{URL}?proxy=1", headers={"Range": wanted}) as response:
        assert response.status == 416
        assert response.headers["Content-Range"] == "bytes */44"
        assert response.content_type == "application/problem+json"
    async with api.head(f"{URL}?proxy=1", headers={"Range": wanted}) as response:
        assert response.status == 200
