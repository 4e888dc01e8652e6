"""The bundle: its content, its headers, and files that are lost before or while it is sent."""

import hashlib
import io
import json
import zipfile
from datetime import timedelta

import pytest
from aiohttp import ClientPayloadError
from msgspec.structs import replace

from gateway.services import Services
from shared.messages import JobRecord, JobStatus
from shared.music import Measured, Music
from shared.transitions import file_lost
from tests.unit.gateway.conftest import Api
from tests.unit.gateway.http.handlers.bucket import Bucket
from tests.unit.gateway.samples import AUDIO, NOON, bearer, completed, entry, job_id, outputs, record

URL = f"/api/v1/download/{job_id(1)}/bundle.zip"
LONG = bytes(1_000_000)
MUSIC = Music(bpm=124, key="A minor", meter="4/4", bars=8)
NAMES = ["audio.wav", "audio.mid", "bass.wav", "recipe.json"]


def finished(*, long: tuple[str, ...] = (), etag: str | None = "e") -> JobRecord:
    """Job 1 with MIDI and a stem; the files named in `long` span several reads."""
    done = completed(
        1,
        outputs=outputs(1),
        completed_at=NOON + timedelta(seconds=7, milliseconds=500),
        music=MUSIC,
        measured=Measured(lufs=-14.2),
        seed=8,
    )
    changes = {"size": len(LONG), "sha256": hashlib.sha256(LONG).hexdigest()}
    assert done.audio is not None
    audio = replace(done.audio, s3_etag=etag, **(changes if "audio.wav" in long else {}))
    files = (replace(file, s3_etag=etag, **(changes if file.name in long else {})) for file in done.outputs)
    return replace(done, audio=audio, outputs=tuple(files))


def opened(data: bytes) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return archive


async def test_the_bundle_has_every_file_in_one_folder(api: Api, services: Services, s3: Bucket) -> None:
    services.index.apply(entry(finished(), 2))
    async with api.get(URL) as response:
        assert response.status == 200
        assert response.content_type == "application/zip"
        data = await response.read()
        assert response.headers["Content-Length"] == str(len(data))
        folder = response.content_disposition
        assert folder is not None
        assert folder.filename is not None
    with opened(data) as archive:
        assert archive.namelist() == [f"{folder.filename.removesuffix('.zip')}/{name}" for name in NAMES]
        assert [archive.read(name) for name in archive.namelist()[:3]] == [AUDIO] * 3
        recipe = json.loads(archive.read(archive.namelist()[3]))
        assert {info.date_time for info in archive.infolist()} == {(2026, 1, 1, 12, 0, 6)}
    assert recipe["recipe"]["prompt"] == "a tone"
    assert (recipe["job_id"], recipe["seed"], recipe["completed_at"]) == (job_id(1), 8, "2026-01-01T12:00:07.000Z")
    assert (recipe["music"]["key"], recipe["measured"]["lufs"]) == ("A minor", -14.2)


async def test_two_downloads_are_equal_and_have_the_same_tag(api: Api, services: Services, s3: Bucket) -> None:
    services.index.apply(entry(finished(), 2))
    bodies, tags = [], []
    for _ in range(2):
        async with api.get(URL) as response:
            bodies.append(await response.read())
            tags.append(response.headers["ETag"])
    assert bodies[0] == bodies[1]
    assert tags[0] == tags[1]
    assert len(tags[0].strip('"')) == 32  # a client would compare one of 64 digits with the SHA-256 of the archive
    async with api.get(URL, headers={"If-None-Match": tags[0]}) as response:
        assert response.status == 304
    async with api.get(URL, headers={"If-Match": '"other"'}) as response:
        assert response.status == 412
    services.index.apply(entry(replace(finished(), seed=9), 3))
    async with api.get(URL, headers={"If-None-Match": tags[0]}) as response:
        assert response.status == 200
        assert response.headers["ETag"] != tags[0]


async def test_head_tells_the_length_without_reading_the_files(api: Api, services: Services, s3: Bucket) -> None:
    services.index.apply(entry(finished(), 2))
    async with api.head(URL) as response:
        assert response.status == 200
        assert await response.read() == b""
        headers = response.headers
    assert s3.asked == [("HEAD", None)] * 3
    async with api.get(URL) as response:
        assert len(await response.read()) == int(headers["Content-Length"])
        for name in ("ETag", "Last-Modified", "Content-Disposition", "Content-Type"):
            assert response.headers[name] == headers[name]


@pytest.mark.parametrize("status", [JobStatus.QUEUED, JobStatus.FAILED, JobStatus.CANCELLED])
async def test_a_job_without_audio_has_no_bundle(api: Api, services: Services, status: JobStatus) -> None:
    services.index.apply(entry(record(1, status=status)))
    async with api.get(URL) as response:
        assert response.status == 409


async def test_only_the_owner_gets_the_bundle(keyed: Api, services: Services, s3: Bucket) -> None:
    services.index.apply(entry(replace(finished(), owner="daw"), 2))
    statuses = []
    for key in ("d" * 32, "w" * 32):
        async with keyed.head(URL, headers=bearer(key)) as response:
            statuses.append(response.status)
    assert statuses == [200, 404]


async def test_expired_audio_has_no_bundle(api: Api, services: Services, s3: Bucket) -> None:
    services.index.apply(entry(replace(finished(), expired_at=NOON), 2))
    for method in ("GET", "HEAD"):
        async with api.request(method, URL) as response:
            assert response.status == 410
    assert s3.asked == []


@pytest.mark.parametrize("name", NAMES[:3])
@pytest.mark.parametrize("content", [None, AUDIO[:7], bytes(len(AUDIO))])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_file_lost_before_the_headers_is_a_410_with_the_recipe(
    api: Api, services: Services, s3: Bucket, method: str, content: bytes | None, name: str
) -> None:
    services.index.apply(entry(finished(etag=None), 2))
    s3.contents[name] = content
    async with api.request(method, URL) as response:
        assert response.status == 410
        if method == "GET":
            problem = await response.json()
            assert f"The file {name}" in problem["detail"]
            assert problem["recipe"]["prompt"] == "a tone"


async def test_a_file_known_to_be_lost_needs_no_s3_request(api: Api, services: Services, s3: Bucket) -> None:
    done = finished()
    services.index.apply(entry(file_lost(done, 2, done.outputs[1]), 3))
    async with api.get(URL) as response:
        assert response.status == 410
        assert "bass.wav" in (await response.json())["detail"]
    assert s3.asked == []


@pytest.mark.parametrize("name", NAMES[:3])
async def test_a_file_that_turns_out_damaged_breaks_the_download_off(
    api: Api, services: Services, s3: Bucket, name: str
) -> None:
    """The store still reports the ETag of the upload; the content shows the damage after the headers were sent."""
    services.index.apply(entry(finished(long=(name,)), 2))
    s3.contents[name] = LONG[:-1] + b"!"
    async with api.get(URL) as response:
        assert response.status == 200
        with pytest.raises(ClientPayloadError):
            await response.read()


@pytest.mark.parametrize("missing", [1, 900_000])
async def test_an_s3_that_breaks_off_breaks_the_download_off(
    api: Api, services: Services, s3: Bucket, missing: int
) -> None:
    services.index.apply(entry(finished(long=tuple(NAMES)), 2))
    s3.data, s3.missing = LONG, missing
    async with api.get(URL) as response:
        if response.status == 200:
            with pytest.raises(ClientPayloadError):
                await response.read()
        else:
            assert response.status == 503


async def test_an_s3_outage_is_a_503(api: Api, services: Services) -> None:
    services.index.apply(entry(finished(), 2))
    async with api.get(URL) as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0
