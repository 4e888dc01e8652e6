"""The bundle from a real store: whole, or visibly broken off, and without a trace when the client goes away."""

import asyncio
import hashlib
import io
import zipfile
from datetime import UTC, datetime

import aiohttp
import pytest

from shared.files import Audio, Output, audio_key, output_key
from shared.job_id import new_job_id
from shared.messages import JobRecord, JobStatus
from tests.integration.jobs import RECIPE, plant_record
from tests.integration.system import Api, System, eventually

SIZE = 3_000_000
NAMES = ("audio.wav", "bass.wav", "audio.mid")
CONTENTS = {name: bytes([number]) * (SIZE + number) for number, name in enumerate(NAMES)}


async def plant(system: System, *, damaged: str = "", missing: str = "") -> str:
    """Put a completed job into the bucket and the store; returns its id. The store calls a damaged file intact."""
    job_id, storage = new_job_id(), system.storage()
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENTS.items()}
    for name, data in CONTENTS.items():
        body = data if name != damaged else data[:-1] + b"!"
        if name != missing:
            await asyncio.to_thread(
                storage._client.put_object,
                storage.bucket,
                output_key(job_id, name),
                io.BytesIO(body),
                len(body),
                metadata={"sha256": sums[name]},
            )
    audio, *outputs = (
        {"key": output_key(job_id, name), "size": len(data), "sha256": sums[name]} for name, data in CONTENTS.items()
    )
    assert audio["key"] == audio_key(job_id)
    moment = datetime.now(UTC)
    record = JobRecord(
        job_id=job_id,
        recipe=RECIPE,
        created_at=moment,
        updated_at=moment,
        completed_at=moment,
        status=JobStatus.COMPLETED,
        audio=Audio(duration=1, sample_rate=32_000, channels=1, **audio),  # type: ignore[arg-type]
        outputs=(
            Output(kind="stem", name=NAMES[1], **outputs[0]),  # type: ignore[arg-type]
            Output(kind="midi", name=NAMES[2], **outputs[1]),  # type: ignore[arg-type]
        ),
    )
    await plant_record(system, record)
    return job_id


def url(job_id: str) -> str:
    return f"/api/v1/download/{job_id}/bundle.zip"


async def until_idle(api: Api) -> None:
    """Wait until the gateway holds no connection to the store for a download."""

    async def idle() -> bool:
        connector = api.services.http.connector
        assert connector is not None
        return not connector._acquired

    await eventually(idle, "the gateway has closed its connections to S3")


async def test_the_bundle_is_whole_and_equal_at_every_gateway(system: System) -> None:
    gateways, job_id = [await system.gateway() for _ in range(2)], await plant(system)
    bodies = []
    for api in gateways:
        async with api.http.get(url(job_id)) as response:
            assert response.status == 200
            bodies.append(await response.read())
            assert response.headers["Content-Length"] == str(len(bodies[-1]))
        await until_idle(api)
    assert bodies[0] == bodies[1]
    with zipfile.ZipFile(io.BytesIO(bodies[0])) as archive:
        assert archive.testzip() is None
        folders, names = zip(*(name.split("/") for name in archive.namelist()), strict=True)
        assert len(set(folders)) == 1
        assert names == (*NAMES, "recipe.json")
        for path, name in zip(archive.namelist(), NAMES, strict=False):
            assert archive.read(path) == CONTENTS[name]


async def test_an_unknown_job_has_no_bundle(system: System) -> None:
    api = await system.gateway()
    async with api.http.get(url("gen_000000000000")) as response:
        assert response.status == 404


@pytest.mark.parametrize("name", NAMES)
async def test_a_missing_file_is_a_410_that_marks_it_as_lost(system: System, name: str) -> None:
    api, job_id = await system.gateway(), await plant(system, missing=name)
    async with api.http.get(url(job_id)) as response:
        assert response.status == 410
        problem = await response.json()
        assert name in problem["detail"]
        assert problem["recipe"]["prompt"] == RECIPE.prompt
    entry = await (await system.records()).get(job_id)
    assert entry is not None
    assert entry.record.lost == (output_key(job_id, name),)


@pytest.mark.parametrize("name", NAMES)
async def test_damage_that_shows_while_it_is_sent_breaks_the_download_off(system: System, name: str) -> None:
    api, job_id = await system.gateway(), await plant(system, damaged=name)
    async with api.http.get(url(job_id)) as response:
        assert response.status == 200
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    await until_idle(api)

    async def marked() -> bool:
        entry = await (await system.records()).get(job_id)
        return entry is not None and entry.record.lost == (output_key(job_id, name),)

    await eventually(marked, "the loss is recorded")
    async with api.http.get(url(job_id)) as response:
        assert response.status == 410


@pytest.mark.parametrize("taken", [0, 100_000, SIZE + 500_000])
async def test_a_client_that_goes_away_leaves_nothing_open(system: System, taken: int) -> None:
    api, job_id = await system.gateway(), await plant(system)
    async with aiohttp.ClientSession(api.url) as http:
        response = await http.get(url(job_id))
        await response.content.readexactly(taken)
        response.close()
    await until_idle(api)


async def test_a_slow_client_gets_everything_and_the_gateway_reads_ahead_only_a_little(system: System) -> None:
    api, job_id = await system.gateway(), await plant(system)
    async with aiohttp.ClientSession(api.url, read_bufsize=1024) as http, http.get(url(job_id)) as response:
        first = await response.content.readexactly(1000)
        connector = api.services.http.connector
        assert connector is not None
        assert connector._acquired, "the gateway waits for the client, with the file still open"
        data = first + await response.read()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
    await until_idle(api)
