"""A worker that is killed while it makes a child of a take, and a gateway that is killed while a file arrives."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from shared.music import bar_seconds
from shared.uploaded_files import uploads_of
from tests.faults.client import Client
from tests.faults.deployment import Deployment
from tests.integration.system import eventually
from tests.integration.test_outputs import with_model
from tests.midi_files import midi_file, note, program
from tests.sampler_checkpoint import write_sampler_checkpoint
from tests.uploads import FILES

# Enough to be killed in the middle.
BARS = 24
PARTS = 3


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return with_model(write_sampler_checkpoint(tmp_path_factory.mktemp("sampler") / "tiny"))


async def take(client: Client) -> dict[str, Any]:
    """A finished take."""
    job_id = await client.submit("happy piano", float(BARS * bar_seconds(126)), bars=BARS, bpm=126, seed=1)
    return await client.until(job_id, "completed")


async def replace_bars(client: Client, parent: str) -> str:
    """An accepted child of the take."""
    url, body = f"{client.url}/api/v1/jobs/{parent}/replace", {"from_bar": 2, "to_bar": BARS, "seed": 3}
    async with client.http.post(url, json=body) as response:
        answer = await response.json()
        assert response.status == 200, answer
    client._history.note_accepted(answer["job_id"], None)
    return str(answer["job_id"])


async def test_the_next_worker_completes_the_child_of_a_killed_one(
    deployment: Deployment, model: dict[str, str]
) -> None:
    (client, _), worker = await asyncio.gather(deployment.gateway(**model), deployment.worker(**model))
    parent = await take(client)
    child = await replace_bars(client, parent["job_id"])

    async def is_composing() -> bool:
        found = await client.status(child)
        return found is not None and found["progress"] > 0

    await eventually(is_composing, "the child is being composed")
    (engine,) = psutil.Process(worker.pid).children()
    worker.kill()
    await deployment.worker(**model)
    found = await client.until(child, "completed")
    assert (found["attempts"], found["parent"], found["bars"]) == (2, parent["job_id"], BARS)
    assert found["composed"]["from_seconds"] == pytest.approx(4 * 60 / 126, abs=0.001)
    assert (await deployment.check()).completed == 2

    async def is_gone() -> bool:
        with suppress(psutil.NoSuchProcess):
            return engine.status() == psutil.STATUS_ZOMBIE
        return True

    await eventually(is_gone, "the engine of the killed worker ends")


async def play_score(client: Client) -> str:
    """An accepted job that plays a minute of a MIDI file."""
    tracks = []
    for channel in range(PARTS):
        notes = [each for tick in range(0, 60_000, 240) for each in note(tick, tick + 200, 60, channel=channel)]
        tracks.append([program(channel, channel), *notes])
    types = {"Content-Type": "audio/midi"}
    async with client.http.post(f"{client.url}/api/v1/audio", data=midi_file(*tracks), headers=types) as response:
        audio_id = (await response.json())["audio_id"]
    body = {"score": {"audio_id": audio_id}, "outputs": ["stems"]}
    async with client.http.post(f"{client.url}/api/v1/generate", json=body) as response:
        answer = await response.json()
        assert response.status == 200, answer
    async with client.http.delete(f"{client.url}/api/v1/audio/{audio_id}") as response:
        assert response.status == 200
    client._history.note_accepted(answer["job_id"], None)
    return str(answer["job_id"])


async def test_the_next_worker_plays_the_score_of_a_killed_one(deployment: Deployment, model: dict[str, str]) -> None:
    """Although the file was deleted meanwhile: the notes are stored for the job."""
    (client, _), worker = await asyncio.gather(deployment.gateway(**model), deployment.worker(**model))
    job_id = await play_score(client)

    async def is_playing() -> bool:
        found = await client.status(job_id)
        return found is not None and found["progress"] > 0

    await eventually(is_playing, "the score is being played")
    worker.kill()
    await deployment.worker(**model)
    found = await client.until(job_id, "completed")
    assert (found["attempts"], len([each for each in found["outputs"] if each["kind"] == "stem"])) == (2, PARTS)
    assert (await deployment.check()).completed == 1


@pytest.mark.thorough
@pytest.mark.parametrize("point", ["worker.after_claim", "worker.after_put"])
async def test_a_worker_death_between_two_steps_of_a_child_ends_it_once(
    deployment: Deployment, model: dict[str, str], point: str
) -> None:
    (client, _), worker = await asyncio.gather(deployment.gateway(**model), deployment.worker(**model))
    parent = await take(client)
    worker.terminate()
    await worker.until_ended()
    doomed = await deployment.worker(MUSICGEN_FAILPOINT=point, **model)
    child = await replace_bars(client, parent["job_id"])
    assert await doomed.until_ended(60) == -9
    await deployment.worker(**model)
    assert (await client.until(child, "completed"))["attempts"] == 2
    await deployment.check()


async def test_a_gateway_killed_while_a_file_arrives_leaves_nothing(deployment: Deployment, tmp_path: Path) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    client, gateway = await deployment.gateway(TMPDIR=str(folder))
    before = {each.key for each in await deployment.storage().page("", uploads_of(None))}
    address = urlsplit(client.url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    headers = ("Host: localhost", "Content-Type: audio/wav", "Content-Length: 9000000")
    head = "\r\n".join(("POST /api/v1/audio HTTP/1.1", *headers, "", ""))
    writer.write(head.encode() + FILES["wav"] + bytes(1 << 20))
    await writer.drain()
    gateway.kill()
    writer.close()
    assert list(folder.iterdir()) == []
    await gateway.start_again()
    assert {each.key for each in await deployment.storage().page("", uploads_of(None))} == before
    async with client.http.post(
        f"{client.url}/api/v1/audio", data=FILES["wav"], headers={"Content-Type": "audio/wav"}
    ) as response:
        assert response.status == 200
    await deployment.check()
