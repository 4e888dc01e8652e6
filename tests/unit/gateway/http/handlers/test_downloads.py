"""Downloads: redirects, proxied files, and errors."""

import hashlib
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientPayloadError
from msgspec.structs import replace

from gateway.http.handlers.downloads import POLICY, audio_file, output_file
from gateway.problems import Problem
from gateway.services import Services
from shared.files import AudioFormat, audio_key
from shared.messages import JobRecord, JobStatus
from shared.records import Entry
from shared.transitions import file_lost
from tests.unit.gateway.conftest import Api
from tests.unit.gateway.http.handlers.bucket import Bucket
from tests.unit.gateway.samples import AUDIO, completed, entry, extras, job_id, outputs, record

URL = f"/api/v1/download/{job_id(1)}"
LONG = bytes(1_000_000)
ETAG = f'"{hashlib.sha256(AUDIO).hexdigest()}"'


def long() -> JobRecord:
    """Job 1, with audio that spans several reads."""
    record = completed(1)
    assert record.audio is not None
    checksum = hashlib.sha256(LONG).hexdigest()
    return replace(record, audio=replace(record.audio, size=len(LONG), sha256=checksum, s3_etag="e"))


@pytest.mark.parametrize(
    ("unfinished", "words"),
    [
        (record(1), "is still queued"),
        (record(1, status=JobStatus.PROCESSING), "is still processing"),
        (record(1, status=JobStatus.FAILED, error_message="out of memory"), "failed: out of memory"),
        (record(1, status=JobStatus.CANCELLED), "was cancelled"),
    ],
)
def test_a_job_without_audio_is_a_409_with_the_reason(unfinished: JobRecord, words: str) -> None:
    with pytest.raises(Problem, match=words) as caught:
        audio_file(unfinished)
    assert caught.value.status == 409
    assert job_id(1) in caught.value.detail
    with pytest.raises(Problem, match=words):
        output_file(unfinished, "audio.mid")


def test_a_completed_job_has_a_key() -> None:
    assert audio_file(completed(1)).stored.key == f"jobs/{job_id(1)}/audio.wav"


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("audio.mid", "audio/midi"),
        ("bass.wav", "audio/wav"),
        ("audio.peaks.json", "application/json"),
        ("audio.svg", "image/svg+xml"),
    ],
)
def test_an_output_has_its_key_name_and_type(name: str, content_type: str) -> None:
    file = output_file(completed(1, outputs=outputs(1), extras=extras(1)), name)
    assert (file.stored.key, file.name) == (f"jobs/{job_id(1)}/{name}", name)
    assert file.headers["Content-Type"] == content_type


@pytest.mark.parametrize(
    ("audio_format", "content_type"),
    [("wav", "audio/wav"), ("flac", "audio/flac"), ("ogg", "audio/ogg"), ("mp3", "audio/mpeg")],
)
def test_audio_has_the_type_and_ending_of_its_key(audio_format: AudioFormat, content_type: str) -> None:
    done = completed(1)
    assert done.audio is not None
    of = replace(done, audio=replace(done.audio, key=audio_key(done.job_id, audio_format)))
    headers = audio_file(of).headers
    assert headers["Content-Type"] == content_type
    assert headers["Content-Disposition"] == f'attachment; filename="tone_{job_id(1)}.{audio_format}"'


def test_an_unknown_output_is_a_404_that_lists_the_outputs() -> None:
    with pytest.raises(Problem, match=r"outputs: audio\.mid, bass\.wav\.") as caught:
        output_file(completed(1, outputs=outputs(1)), "lead.wav")
    assert caught.value.status == 404
    with pytest.raises(Problem, match='"outputs" requests them'):
        output_file(completed(1), "audio.mid")
    with pytest.raises(Problem, match=r"Further files: audio\.peaks\.json, audio\.svg\."):
        output_file(completed(1, extras=extras(1)), "audio.mid")


@pytest.mark.parametrize("query", ["", "?proxy=1"])
async def test_an_unfinished_job_is_a_409(api: Api, services: Services, query: str) -> None:
    services.index.apply(entry(record(1)))
    async with api.get(URL + query, allow_redirects=False) as response:
        assert response.status == 409
        assert response.content_type == "application/problem+json"


async def test_a_finished_job_redirects_to_an_uncacheable_presigned_url(api: Api, s3: Bucket) -> None:
    async with api.get(URL, allow_redirects=False) as response:
        assert response.status == 302
        assert response.headers["Cache-Control"] == "no-store"
        url = urlsplit(response.headers["Location"])
    assert url.path == f"/music-audio/jobs/{job_id(1)}/audio.wav"
    query = parse_qs(url.query)
    assert query["X-Amz-Expires"] == ["600"]
    assert query["response-content-disposition"] == [f'attachment; filename="tone_{job_id(1)}.wav"']


async def test_an_output_redirects_to_its_object(api: Api, s3: Bucket) -> None:
    async with api.get(f"{URL}/bass.wav", allow_redirects=False) as response:
        assert response.status == 302
        url = urlsplit(response.headers["Location"])
    assert url.path == f"/music-audio/jobs/{job_id(1)}/bass.wav"
    named = parse_qs(url.query)["response-content-disposition"]
    assert named == [f'attachment; filename="tone_{job_id(1)}_bass.wav"']


async def test_a_proxied_output_has_its_content_type(api: Api, s3: Bucket) -> None:
    for method in (api.get, api.head):
        async with method(f"{URL}/audio.mid?proxy=1") as response:
            assert response.status == 200
            assert response.content_type == "audio/midi"
            assert response.headers["Content-Length"] == "44"
            assert f"tone_{job_id(1)}.mid" in response.headers["Content-Disposition"]


async def test_a_picture_runs_no_script_with_the_gateways_origin(api: Api, s3: Bucket) -> None:
    async with api.get(f"{URL}/audio.svg?proxy=1") as response:
        assert response.status == 200
        assert response.content_type == "image/svg+xml"
        assert response.headers["Content-Disposition"].startswith("attachment;")
        assert response.headers["Content-Security-Policy"] == POLICY
        assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["audio.wav", "..%2faudio.wav", "lead.wav"])
async def test_other_paths_below_a_download_are_a_404(api: Api, s3: Bucket, name: str) -> None:
    async with api.get(f"{URL}/{name}", allow_redirects=False) as response:
        assert response.status == 404


async def test_no_redirect_while_s3_is_away(api: Api, services: Services, s3: Bucket) -> None:
    s3.exists = False
    await services.probe._check_s3()
    async with api.get(URL, allow_redirects=False) as response:
        assert response.status == 503
        assert "S3 has no bucket" in (await response.json())["detail"]


@pytest.mark.parametrize("missing", [1, 200_000])
async def test_a_download_truncated_by_s3_is_aborted(api: Api, services: Services, s3: Bucket, missing: int) -> None:
    """An error never ends up inside the audio."""
    services.index.apply(entry(long(), 2))
    s3.data, s3.missing = LONG, missing
    async with api.get(f"{URL}?proxy=1") as response:
        assert response.status == 200
        with pytest.raises(ClientPayloadError):
            await response.read()
    assert not services.index.has_expired(long())


@pytest.mark.parametrize("withheld", [1, 4])
async def test_a_range_of_unexpected_length_is_a_503(api: Api, s3: Bucket, withheld: int) -> None:
    s3.withheld = withheld
    async with api.get(f"{URL}?proxy=1", headers={"Range": "bytes=4-7"}) as response:
        assert response.status == 503


async def test_a_download_that_fails_before_the_first_byte_is_a_503(api: Api, s3: Bucket) -> None:
    s3.missing = 1
    async with api.get(f"{URL}?proxy=1") as response:
        assert response.status == 503


async def test_proxied_audio_is_complete_and_hides_s3(api: Api, s3: Bucket) -> None:
    async with api.get(f"{URL}?proxy=1") as response:
        assert response.status == 200
        assert response.content_type == "audio/wav"
        assert response.headers["Content-Length"] == str(len(AUDIO))
        assert response.headers["Content-Disposition"] == f'attachment; filename="tone_{job_id(1)}.wav"'
        assert "x-amz-id-2" not in response.headers
        assert await response.read() == AUDIO


async def test_a_range_is_forwarded_to_s3(api: Api, s3: Bucket) -> None:
    async with api.get(f"{URL}?proxy=1", headers={"Range": "bytes=4-7"}) as response:
        assert response.status == 206
        assert response.headers["Content-Range"] == "bytes 4-7/44"
        assert await response.read() == AUDIO[4:8]


@pytest.mark.parametrize("query", ["", "?proxy=1"])
@pytest.mark.parametrize("answered", [403, 416, 429, 500, 503, 204, 301])
async def test_an_s3_refusal_is_a_503_and_not_a_loss(
    api: Api, services: Services, s3: Bucket, answered: int, query: str
) -> None:
    s3.status = answered
    async with api.get(URL + query, allow_redirects=False) as response:
        assert response.status == 503
        assert response.content_type == "application/problem+json"
        assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("query", ["", "?proxy=1"])
async def test_a_missing_bucket_marks_no_file_as_lost(api: Api, s3: Bucket, query: str, method: str) -> None:
    s3.status, s3.exists = 404, False
    async with api.request(method, URL + query, allow_redirects=False) as response:
        assert response.status == 503
        assert method == "HEAD" or "create it, or set S3_BUCKET" in (await response.json())["detail"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("query", ["", "?proxy=1"])
@pytest.mark.parametrize("path", ["", "/audio.mid", "/bass.wav", "/audio.peaks.json", "/audio.svg"])
@pytest.mark.parametrize("data", [None, AUDIO[:7], AUDIO + b"!", bytes(len(AUDIO))])
async def test_a_missing_or_different_file_is_a_410_with_the_recipe(
    api: Api, s3: Bucket, data: bytes | None, path: str, query: str, method: str
) -> None:
    s3.data, s3.status = data or b"", 200 if data else 404
    async with api.request(method, URL + path + query, allow_redirects=False) as response:
        assert response.status == 410
        if method == "GET":
            problem = await response.json()
            assert "is lost" in problem["detail"]
            assert problem["recipe"]["prompt"] == "a tone"


@pytest.mark.parametrize("headers", [{"Range": "bytes=4-7"}, {"If-None-Match": ETAG}, {"If-Match": '"x"'}])
@pytest.mark.parametrize("data", [AUDIO[:10], bytes(len(AUDIO))])
async def test_ranges_and_preconditions_detect_a_different_file(
    api: Api, s3: Bucket, data: bytes, headers: dict[str, str]
) -> None:
    s3.data = data
    async with api.get(f"{URL}?proxy=1", headers=headers) as response:
        assert response.status == 410


async def test_a_corrupt_file_with_a_matching_etag_is_aborted_before_its_end(
    api: Api, services: Services, s3: Bucket
) -> None:
    services.index.apply(entry(long(), 2))
    s3.data = LONG[:-1] + b"!"
    async with api.get(f"{URL}?proxy=1") as response:
        assert response.status == 200
        with pytest.raises(ClientPayloadError):
            await response.read()


async def test_an_object_with_another_etag_is_verified_once(api: Api, services: Services, s3: Bucket) -> None:
    """As after a restore by multipart upload."""
    for _ in range(2):
        async with api.get(URL, allow_redirects=False) as response:
            assert response.status == 302
    assert s3.asked == [("HEAD", None), ("GET", None), ("HEAD", None)]


async def test_an_object_with_the_stored_etag_costs_one_head_request(api: Api, services: Services, s3: Bucket) -> None:
    record = completed(1)
    assert record.audio is not None
    services.index.apply(entry(replace(record, audio=replace(record.audio, s3_etag="e")), 2))
    for query, status in (("", 302), ("?proxy=1", 206)):
        async with api.get(URL + query, headers={"Range": "bytes=1-2"}, allow_redirects=False) as response:
            assert response.status == status
    assert s3.asked == [("HEAD", None), ("GET", "bytes=1-2")]


@pytest.mark.parametrize(("method", "query"), [("GET", "?proxy=1"), ("HEAD", "?proxy=1"), ("HEAD", "")])
async def test_a_file_marked_as_lost_needs_no_s3_request(
    api: Api, services: Services, s3: Bucket, method: str, query: str
) -> None:
    done = entry(completed(1, outputs=outputs(1)))
    services.index.apply(Entry(file_lost(*done, outputs(1)[1]), 2))
    async with api.request(method, f"{URL}/bass.wav{query}") as response:
        assert response.status == 410
    assert s3.asked == []
    async with api.get(f"{URL}{query or '?proxy=1'}") as response:
        assert response.status == 200


async def test_a_refused_s3_connection_is_a_503(api: Api, services: Services) -> None:
    services.index.apply(entry(completed(1)))
    async with api.get(f"{URL}?proxy=1") as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0


async def test_head_returns_the_size_without_a_body(api: Api, s3: Bucket) -> None:
    for query in ("", "?proxy=1"):
        async with api.head(URL + query) as response:
            assert response.status == 200
            assert response.headers["Content-Length"] == "44"
            assert response.headers["Content-Type"] == "audio/wav"
            assert response.headers.get("ETag") == (ETAG if query else None)
            assert await response.read() == b""
