"""Work on takes without a score: children of their audio, by HTTP, made by the real engine."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.audio_conditions import excerpt_key
from shared.messages import now
from tests.integration.system import Api, System, eventually
from tests.integration.test_continuations import RATE, audio_model, excerpts, samples
from tests.integration.test_edits import child, post
from tests.unit.gateway.samples import DAW, WEB, bearer

SECONDS = 3.0
OVERLAP = round(0.03 * RATE)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return audio_model(tmp_path_factory.mktemp("models") / "tiny")


async def take(api: Api, **fields: Any) -> str:
    """A finished take of three seconds."""
    job_id = await api.generate("happy piano", **({"duration": SECONDS, "seed": 1} | fields))
    assert (await api.until(job_id, "completed", "failed"))["status"] == "completed"
    return job_id


async def test_a_take_is_worked_on(system: System, model: dict[str, str]) -> None:
    api, _ = await system.gateway(**model), await system.worker(**model)
    parent = await take(api)
    before = await samples(api, parent)

    extended = await child(api, parent, "extend", {"seconds": 1.5, "seed": 3})
    after = await samples(api, extended["job_id"])
    assert extended["actual_duration"] == SECONDS + 1.5
    np.testing.assert_array_equal(after[: len(before) - OVERLAP], before[:-OVERLAP])

    body = {"from_seconds": 1.25, "to_seconds": 2.0, "prompt": "dark drums"}
    replaced = await child(api, extended["job_id"], "replace", body)
    found, (begin, end) = await samples(api, replaced["job_id"]), (round(1.25 * RATE), 2 * RATE)
    np.testing.assert_array_equal(found[: begin - OVERLAP], after[: begin - OVERLAP])
    np.testing.assert_array_equal(found[end:], after[end:])
    assert not np.array_equal(found[begin:end], after[begin:end])
    composed, measured = replaced["composed"], replaced["measured"]
    assert (composed["from_seconds"], composed["to_seconds"], composed["crossfade_seconds"]) == (1.25, 2.0, 0.03)
    assert measured["gain_db"] == 0
    assert replaced["recipe"]["edit"]["prompt"] == "dark drums"

    varied = [await child(api, parent, "vary", {"strength": 0.5, "seed": seed}) for seed in (5, 6)]
    first, second = [await samples(api, each["job_id"]) for each in varied]
    opening = round(1.5 * RATE)
    np.testing.assert_array_equal(first[: opening - OVERLAP], before[: opening - OVERLAP])
    np.testing.assert_array_equal(second[: opening - OVERLAP], before[: opening - OVERLAP])
    assert not np.array_equal(first[opening:], second[opening:])
    assert len(first) == len(before)

    async with api.http.get(f"/api/v1/jobs/{extended['job_id']}/lineage") as response:
        family = (await response.json())["jobs"]
    assert [(each["job_id"], each["parent"], each["kind"], each["from_seconds"]) for each in family] == [
        (parent, None, None, None),
        (extended["job_id"], parent, "extend", SECONDS),
        (varied[0]["job_id"], parent, "vary", 1.5),
        (varied[1]["job_id"], parent, "vary", 1.5),
        (replaced["job_id"], extended["job_id"], "replace", 1.25),
    ]


@pytest.mark.parametrize("file", [{"format": "flac", "sample_rate": 48_000}, {"format": "mp3"}, {"format": "ogg"}])
async def test_a_child_has_the_format_of_its_parent(
    system: System,
    model: dict[str, str],
    file: dict[str, Any],
) -> None:
    api, _ = await system.gateway(**model), await system.worker(**model)
    parent = await take(api, **file)
    made = await child(api, parent, "extend", {"seconds": 1})
    assert (made["format"], made["actual_duration"]) == (file["format"], SECONDS + 1)
    assert made["sample_rate"] == (await api.status(parent))["sample_rate"]


async def test_a_child_needs_its_parent_no_more_once_it_is_accepted(
    system: System,
    model: dict[str, str],
) -> None:
    api = await system.gateway(**model)
    worker = await system.worker(**model)
    parent = await take(api, seed=2)
    before = await samples(api, parent)
    await worker.vanish()
    headers = {"Idempotency-Key": "once"}
    _, accepted = await post(api, parent, "extend", {"seconds": 1, "seed": 3}, headers)
    entry = await (await system.records()).get(parent)
    assert entry is not None
    await (await system.records()).remove(entry)
    await system.storage().remove_job(parent)
    retention = await system.retention()
    await retention.clean(now() + timedelta(hours=2))
    await system.worker(**model)
    assert (await api.until(accepted["job_id"], "completed", "failed"))["status"] == "completed"
    after = await samples(api, accepted["job_id"])
    np.testing.assert_array_equal(after[: len(before) - OVERLAP], before[:-OVERLAP])
    await retention.clean(now() + timedelta(hours=2))
    assert entry.record.audio is not None
    assert excerpt_key(None, entry.record.audio.sha256) not in await excerpts(system)
    status, problem = await post(api, parent, "extend", {"seconds": 1})
    assert status == 404, problem


async def test_a_child_is_made_again_from_its_recipe(system: System, model: dict[str, str]) -> None:
    api, _ = await system.gateway(**model), await system.worker(**model)
    parent = await take(api, seed=4)
    made = await child(api, parent, "replace", {"from_seconds": 1, "to_seconds": 2, "seed": 3})
    recipe = made["recipe"] | {"cache": False}
    async with api.http.post("/api/v1/generate", json=recipe) as response:
        assert response.status == 200, await response.text()
        again = (await response.json())["job_id"]
    await api.until(again, "completed")
    np.testing.assert_array_equal(await samples(api, again), await samples(api, made["job_id"]))
    async with api.http.post("/api/v1/generate", json=recipe | {"model": "starter"}) as response:
        assert (response.status, (await response.json())["errors"][0]["field"]) == (422, "edit")
    forged = recipe | {"edit": recipe["edit"] | {"audio": {"sha256": "0" * 64, "size": 10}}}
    async with api.http.post("/api/v1/generate", json=forged) as response:
        assert (response.status, "no longer stored" in (await response.json())["detail"]) == (422, True)


async def test_a_take_whose_audio_is_gone_cannot_be_worked_on(
    system: System,
    model: dict[str, str],
) -> None:
    api, _ = await system.gateway(**model), await system.worker(**model)
    parent = await take(api, seed=5)
    await system.storage().remove_job(parent)
    status, problem = await post(api, parent, "extend", {"seconds": 1})
    assert (status, "is no longer stored" in problem["detail"]) == (422, True)


async def test_only_the_owner_of_a_take_works_on_it(system: System, model: dict[str, str]) -> None:
    keys = {"API_KEYS": f"daw:{DAW},web:{WEB}"}
    api, _ = await system.gateway(**model, **keys), await system.worker(**model)
    api.http.headers.update(bearer(DAW))
    parent = await take(api)
    made = await child(api, parent, "vary", {})
    assert (await post(api, parent, "vary", {}, bearer(WEB)))[0] == 404
    recipe = made["recipe"] | {"cache": False}
    async with api.http.post("/api/v1/generate", json=recipe, headers=bearer(WEB)) as response:
        assert response.status == 404


async def test_what_is_made_until_a_child_is_stopped_is_kept(
    system: System,
    model: dict[str, str],
) -> None:
    api, _ = await system.gateway(**model), await system.worker(**model)
    parent = await take(api, seed=6)
    before = await samples(api, parent)
    _, accepted = await post(api, parent, "extend", {"seconds": 100})

    async def is_composing() -> bool:
        return float((await api.status(accepted["job_id"]))["progress"]) > 0.05

    await eventually(is_composing, "the child is being composed")
    async with api.http.delete(f"/api/v1/jobs/{accepted['job_id']}?keep=1") as response:
        assert response.status == 200
    await api.until(accepted["job_id"], "cancelled")
    after = await samples(api, accepted["job_id"])
    assert len(before) < len(after) < (SECONDS + 100) * RATE
    np.testing.assert_array_equal(after[: len(before) - OVERLAP], before[:-OVERLAP])


async def test_a_worker_that_cannot_go_on_from_audio_fails_the_child_with_the_reason(system: System) -> None:
    folder = {"MUSICGEN_MODEL_SIZE": str(Path("/models/scripted"))}
    api, _ = await system.gateway(**folder), await system.worker(**folder)
    parent = await take(api)
    _, accepted = await post(api, parent, "extend", {"seconds": 1})
    status = await api.until(accepted["job_id"], "completed", "failed")
    assert "only models whose codec is EnCodec can, such as small" in status["error_message"]
