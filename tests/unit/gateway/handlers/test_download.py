"""Downloads: a redirect, the bytes through the gateway, or a reason why there are none."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp import ClientPayloadError, web
from aiohttp.test_utils import TestServer

from gateway.handlers.download import audio_of, output_of
from gateway.problems import Problem
from gateway.services import Services
from shared.messages import JobRecord, JobStatus
from shared.settings import load_settings
from shared.storage import Storage
from tests.unit.gateway.conftest import KEYS, Api
from tests.unit.gateway.samples import completed, entry, job_id, outputs, record

URL = f"/api/v1/download/{job_id(1)}"
AUDIO = b"RIFF" + bytes(range(40))

S3_STATUS = web.AppKey("status", list[int])


async def _object(request: web.Request) -> web.StreamResponse:
    """The part of S3 that a download needs; `S3_STATUS` may make it fail, or break off so many bytes before the end."""
    status, *missing = request.app[S3_STATUS]
    if missing:
        return await _broken(request, missing[0])
    if status != 200:
        return web.Response(status=status, text="<Error/>", headers={"Content-Range": "bytes */44"})
    wanted = request.http_range
    body = AUDIO[wanted]
    headers = {"Content-Type": "audio/wav", "ETag": '"e"', "x-amz-id-2": "internal"}
    if wanted.start is None:
        return web.Response(body=body, headers=headers)
    headers["Content-Range"] = f"bytes {wanted.start}-{wanted.start + len(body) - 1}/{len(AUDIO)}"
    return web.Response(status=206, body=body, headers=headers)


async def _broken(request: web.Request, missing: int) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000000", "Content-Type": "audio/wav"})
    await response.prepare(request)
    await response.write(bytes(1_000_000 - missing))
    assert request.transport is not None
    request.transport.close()
    return response


@pytest.fixture
async def s3(services: Services) -> AsyncIterator[list[int]]:
    """An S3 that holds the audio of job 1, which is completed; the list says how it answers, see `_object`."""
    app = web.Application()
    app[S3_STATUS] = status = [200]
    app.router.add_get(f"/music-audio/jobs/{job_id(1)}/{{name}}", _object)
    async with TestServer(app) as server:
        services.storage = Storage(load_settings(KEYS | {"S3_ENDPOINT": f"http://127.0.0.1:{server.port}"}))
        services.index.apply(entry(completed(1, outputs=outputs(1))))
        yield status


@pytest.mark.parametrize(
    ("unfinished", "words"),
    [
        (record(1), "is still queued"),
        (record(1, status=JobStatus.PROCESSING), "is still processing"),
        (record(1, status=JobStatus.FAILED, error_message="out of memory"), "failed: out of memory"),
        (record(1, status=JobStatus.CANCELLED), "was cancelled"),
    ],
)
def test_a_job_without_audio_is_a_409_that_says_why(unfinished: JobRecord, words: str) -> None:
    with pytest.raises(Problem, match=words) as caught:
        audio_of(unfinished)
    assert caught.value.status == 409
    assert job_id(1) in caught.value.detail
    with pytest.raises(Problem, match=words):
        output_of(unfinished, "audio.mid")


def test_a_completed_job_has_a_key() -> None:
    assert audio_of(completed(1)).key == f"jobs/{job_id(1)}/audio.wav"


@pytest.mark.parametrize(("name", "content_type"), [("audio.mid", "audio/midi"), ("bass.wav", "audio/wav")])
def test_an_output_is_saved_under_a_name_that_tells_what_it_is(name: str, content_type: str) -> None:
    file = output_of(completed(1, outputs=outputs(1)), name)
    assert file == (f"jobs/{job_id(1)}/{name}", 44, content_type, f"{job_id(1)}-{name}")


def test_an_output_that_there_is_not_is_a_404_with_those_that_there_are() -> None:
    with pytest.raises(Problem, match=r"it has audio\.mid, bass\.wav\.") as caught:
        output_of(completed(1, outputs=outputs(1)), "lead.wav")
    assert caught.value.status == 404
    with pytest.raises(Problem, match='"outputs" asks for it'):
        output_of(completed(1), "audio.mid")


@pytest.mark.parametrize("query", ["", "?proxy=1"])
async def test_an_unfinished_job_is_a_409_in_both_ways(api: Api, services: Services, query: str) -> None:
    services.index.apply(entry(record(1)))
    async with api.get(URL + query, allow_redirects=False) as response:
        assert response.status == 409
        assert response.content_type == "application/problem+json"


async def test_a_finished_job_redirects_to_a_signed_url_that_nobody_may_cache(api: Api, s3: list[int]) -> None:
    async with api.get(URL, allow_redirects=False) as response:
        assert response.status == 302
        assert response.headers["Cache-Control"] == "no-store"
        url = urlsplit(response.headers["Location"])
    assert url.path == f"/music-audio/jobs/{job_id(1)}/audio.wav"
    query = parse_qs(url.query)
    assert query["X-Amz-Expires"] == ["600"]
    assert query["response-content-disposition"] == [f'attachment; filename="{job_id(1)}.wav"']


async def test_an_output_redirects_to_its_own_object(api: Api, s3: list[int]) -> None:
    async with api.get(f"{URL}/bass.wav", allow_redirects=False) as response:
        assert response.status == 302
        url = urlsplit(response.headers["Location"])
    assert url.path == f"/music-audio/jobs/{job_id(1)}/bass.wav"
    named = parse_qs(url.query)["response-content-disposition"]
    assert named == [f'attachment; filename="{job_id(1)}-bass.wav"']


async def test_a_proxied_output_and_its_head_have_its_own_type(api: Api, s3: list[int]) -> None:
    for method in (api.get, api.head):
        async with method(f"{URL}/audio.mid?proxy=1") as response:
            assert response.status == 200
            assert response.content_type == "audio/midi"
            assert response.headers["Content-Length"] == "44"
            assert f"{job_id(1)}-audio.mid" in response.headers["Content-Disposition"]


@pytest.mark.parametrize("name", ["audio.wav", "..%2faudio.wav", "lead.wav"])
async def test_nothing_but_outputs_lies_below_a_download(api: Api, s3: list[int], name: str) -> None:
    async with api.get(f"{URL}/{name}", allow_redirects=False) as response:
        assert response.status == 404


async def test_a_redirect_to_an_s3_that_is_away_is_a_503_instead(api: Api, services: Services, s3: list[int]) -> None:
    await services.probe._look_at_s3()
    async with api.get(URL, allow_redirects=False) as response:
        assert response.status == 503
        assert "S3 is away" in (await response.json())["detail"]


@pytest.mark.parametrize("missing", [1, 200_000])
async def test_what_breaks_off_at_s3_breaks_off_at_the_client(api: Api, s3: list[int], missing: int) -> None:
    """And never goes on with an error in the middle of the audio."""
    s3.append(missing)
    async with api.get(f"{URL}?proxy=1") as response:
        assert response.status == 200
        with pytest.raises(ClientPayloadError):
            await response.read()


async def test_proxied_audio_is_whole_and_tells_nothing_of_s3(api: Api, s3: list[int]) -> None:
    async with api.get(f"{URL}?proxy=1") as response:
        assert response.status == 200
        assert response.content_type == "audio/wav"
        assert response.headers["Content-Length"] == str(len(AUDIO))
        assert f"{job_id(1)}.wav" in response.headers["Content-Disposition"]
        assert "x-amz-id-2" not in response.headers
        assert await response.read() == AUDIO


async def test_a_range_is_passed_on(api: Api, s3: list[int]) -> None:
    async with api.get(f"{URL}?proxy=1", headers={"Range": "bytes=4-7"}) as response:
        assert response.status == 206
        assert response.headers["Content-Range"] == "bytes 4-7/44"
        assert await response.read() == AUDIO[4:8]


@pytest.mark.parametrize(("answered", "told"), [(404, 410), (416, 416), (403, 503), (500, 503), (503, 503), (204, 503)])
async def test_an_error_of_s3_is_never_served_as_audio(api: Api, s3: list[int], answered: int, told: int) -> None:
    s3[0] = answered
    async with api.get(f"{URL}?proxy=1") as response:
        assert response.status == told
        assert response.content_type == "application/problem+json"
        assert ("Content-Range" in response.headers) == (told == 416)


async def test_proxying_from_an_s3_that_refuses_connections_is_a_503(api: Api, services: Services) -> None:
    services.index.apply(entry(completed(1)))
    async with api.get(f"{URL}?proxy=1") as response:
        assert response.status == 503
        assert int(response.headers["Retry-After"]) > 0


async def test_head_tells_the_size_and_sends_nothing(api: Api, s3: list[int]) -> None:
    async with api.head(URL) as response:
        assert response.status == 200
        assert response.headers["Content-Length"] == "44"
        assert response.headers["Content-Type"] == "audio/wav"
        assert await response.read() == b""
