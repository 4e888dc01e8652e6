"""A worker that is killed while it continues a file, which the client has deleted meanwhile."""

import asyncio
import io
import warnings

import pytest

from tests.faults.deployment import Deployment
from tests.integration.system import eventually
from tests.integration.test_outputs import with_model
from tests.unit.worker.engine.batching.conditioned import write_model
from tests.uploads import audio

# Enough to be killed in the middle.
SECONDS = 30.0

# Seconds for what a busy machine does slowly.
PATIENCE = 120.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    with warnings.catch_warnings():
        # audiocraft uses a deprecated weight norm of PyTorch.
        warnings.simplefilter("ignore", FutureWarning)
        write_model(folder, 1, {"dataset.segment_duration": 30})
    return with_model(folder)


@pytest.mark.thorough
async def test_the_next_worker_continues_the_audio_of_a_killed_one_without_its_source(
    deployment: Deployment, model: dict[str, str]
) -> None:
    (client, _), worker = await asyncio.gather(deployment.gateway(**model), deployment.worker(**model))
    files = f"{client.url}/api/v1/audio"
    sound = io.BytesIO(audio("wav", 2.0, 32_000))
    async with client.http.post(files, data=sound, headers={"Content-Type": "audio/wav"}) as response:
        uploaded = await response.json()
        assert response.status == 200, uploaded
    source = {"audio_id": uploaded["audio_id"]}
    job_id = await client.submit("happy piano", SECONDS, audio={"continue_from": source})

    async def is_running() -> bool:
        found = await client.status(job_id)
        return found is not None and found["progress"] > 0

    await eventually(is_running, "the take is being generated", PATIENCE)
    async with client.http.delete(f"{files}/{uploaded['audio_id']}") as response:
        assert response.status == 200
    worker.kill()
    await deployment.worker(**model)
    found = await client.until(job_id, "completed", timeout=PATIENCE)
    assert (found["attempts"], found["actual_duration"]) == (2, SECONDS)
    assert (await deployment.check()).completed == 1
