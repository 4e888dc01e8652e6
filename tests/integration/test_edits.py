"""Work on a take: children, by HTTP, made by the real engine."""

from array import array
from pathlib import Path
from typing import Any

import pytest

from shared.edits import STREAMS, unpack_codes
from tests.integration.jobs import stored_audio
from tests.integration.system import Api, System, eventually
from tests.integration.test_outputs import with_model
from tests.integration.webhook_receiver import SETTINGS, receiving
from tests.sampler_checkpoint import write_sampler_checkpoint
from tests.unit.gateway.samples import DAW, WEB, bearer

TAKE: dict[str, Any] = {"prompt": "happy piano", "bpm": 126, "seed": 1}
STEPS = 16


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sampler_checkpoint(tmp_path_factory.mktemp("sampler") / "tiny")


async def take(api: Api, bars: int = 4, **fields: Any) -> str:
    """A finished take."""
    async with api.http.post("/api/v1/generate", json=TAKE | {"bars": bars} | fields) as response:
        assert response.status == 200, await response.text()
        job_id: str = (await response.json())["job_id"]
    await api.until(job_id, "completed")
    return job_id


async def post(
    api: Api, job_id: str, route: str, body: dict[str, Any], headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    async with api.http.post(f"/api/v1/jobs/{job_id}/{route}", json=body, headers=headers) as response:
        return response.status, await response.json(content_type=None)


async def child(api: Api, job_id: str, route: str, body: dict[str, Any]) -> dict[str, Any]:
    """The status of a child once it has completed."""
    status, accepted = await post(api, job_id, route, body)
    assert status == 200, accepted
    assert accepted["parent"] == job_id
    found = await api.until(accepted["job_id"], "completed")
    assert found["parent"] == job_id
    return found


async def codes(system: System, job_id: str) -> list["array[int]"]:
    """The codes of a job's score, stream by stream."""
    entry = await (await system.records()).get(job_id)
    assert entry is not None
    assert entry.record.music is not None
    assert entry.record.music.score is not None
    found = unpack_codes(entry.record.music.score)
    steps = len(found) // STREAMS
    return [found[stream * steps : (stream + 1) * steps] for stream in range(STREAMS)]


async def test_a_take_is_worked_on(system: System, checkpoint: Path) -> None:
    api, _ = await system.gateway(**with_model(checkpoint)), await system.worker(**with_model(checkpoint))
    parent = await take(api)
    before = await codes(system, parent)

    replaced = await child(api, parent, "replace", {"from_bar": 2, "to_bar": 2, "instruments": ["drums"], "seed": 3})
    after = await codes(system, replaced["job_id"])
    assert after[:6] == before[:6]
    assert after[7] == before[7]
    assert after[6][: 2 * STEPS] == before[6][: 2 * STEPS]
    assert after[6][3 * STEPS :] == before[6][3 * STEPS :]
    assert replaced["composed"]["candidates"] == 4
    assert replaced["recipe"]["edit"]["streams"] == ["drums"]
    assert replaced["measured"]["gain_db"] is not None

    extended = await child(api, replaced["job_id"], "extend", {"bars": 2})
    assert extended["bars"] == 6
    assert [row[: 5 * STEPS] for row in await codes(system, extended["job_id"])] == after

    same = await child(api, parent, "vary", {"strength": 0, "outputs": ["midi", "stems"]})
    assert await codes(system, same["job_id"]) == before
    assert {output["kind"] for output in same["outputs"]} == {"midi", "stem", "project"}
    assert len(await stored_audio(api, same["job_id"])) == len(await stored_audio(api, parent))

    async with api.http.get(f"/api/v1/jobs/{extended['job_id']}/lineage") as response:
        family = (await response.json())["jobs"]
    assert [(each["job_id"], each["parent"], each["kind"]) for each in family] == [
        (parent, None, None),
        (replaced["job_id"], parent, "replace"),
        (same["job_id"], parent, "vary"),
        (extended["job_id"], replaced["job_id"], "extend"),
    ]


async def test_a_take_is_played_again_with_other_programs(system: System, checkpoint: Path) -> None:
    api, _ = await system.gateway(**with_model(checkpoint)), await system.worker(**with_model(checkpoint))
    parent = await take(api)
    stream = (await api.status(parent))["instruments"][0]["stream"]

    async def played(**score: Any) -> tuple[int, dict[str, Any]]:
        async with api.http.post("/api/v1/generate", json={"score": {"job_id": parent} | score}) as response:
            return response.status, await response.json(content_type=None)

    status, accepted = await played(programs={stream: 25})
    assert status == 200, accepted
    found = await api.until(accepted["job_id"], "completed")
    assert (found["parent"], found["recipe"]["edit"]["kind"], found["bars"]) == (parent, "play", 4)
    assert (await codes(system, found["job_id"]))[1:] == (await codes(system, parent))[1:]
    status, accepted = await played(instruments=[stream])
    solo = await api.until(accepted["job_id"], "completed")
    assert {each["stream"] for each in solo["instruments"]} == {stream}
    status, problem = await post(api, solo["job_id"], "vary", {})
    assert (status, "no stored score" in problem["detail"]) == (422, True)
    for wrong in ({"programs": {"harp": 3}}, {"instruments": ["harp"]}, {"audio_id": "aud_abc123456789"}):
        status, problem = await played(**wrong)
        assert (status, problem["errors"][0]["field"]) == (422, "score")


async def test_a_child_outlives_its_parent_and_can_be_made_again(system: System, checkpoint: Path) -> None:
    """Its recipe has all that it needs."""
    api, _ = await system.gateway(**with_model(checkpoint)), await system.worker(**with_model(checkpoint))
    parent = await take(api)
    made = await child(api, parent, "replace", {"from_bar": 2, "to_bar": 3, "seed": 3})
    records = await system.records()
    entry = await records.get(parent)
    assert entry is not None
    await records.remove(entry)
    recipe = made["recipe"] | {"cache": False}
    async with api.http.post("/api/v1/generate", json=recipe) as response:
        assert response.status == 200, await response.text()
        again = (await response.json())["job_id"]
    await api.until(again, "completed")
    assert await codes(system, again) == await codes(system, made["job_id"])


async def test_a_repeated_request_gives_the_same_child(system: System, checkpoint: Path) -> None:
    api, _ = await system.gateway(**with_model(checkpoint)), await system.worker(**with_model(checkpoint))
    first, second = await take(api), await take(api, seed=2)
    key = {"Idempotency-Key": "once"}
    _, accepted = await post(api, first, "vary", {"strength": 0.2}, key)
    _, repeated = await post(api, first, "vary", {"strength": 0.2}, key)
    assert repeated["job_id"] == accepted["job_id"]
    for job_id, route, body in ((first, "vary", {"strength": 0.3}), (second, "vary", {"strength": 0.2})):
        status, _ = await post(api, job_id, route, body, key)
        assert status == 422


async def test_only_the_owner_of_a_take_works_on_it(system: System, checkpoint: Path) -> None:
    keys = {"API_KEYS": f"daw:{DAW},web:{WEB}"}
    api, _ = await system.gateway(**with_model(checkpoint), **keys), await system.worker(**with_model(checkpoint))
    api.http.headers.update(bearer(DAW))
    parent = await take(api)
    assert (await post(api, parent, "vary", {}))[0] == 200
    assert (await post(api, parent, "vary", {}, bearer(WEB)))[0] == 404
    async with api.http.get(f"/api/v1/jobs/{parent}/lineage", headers=bearer(WEB)) as response:
        assert response.status == 404


async def test_what_cannot_be_worked_on_is_refused(system: System) -> None:
    """The default engine of these tests writes no scores."""
    api, _ = await system.gateway(), await system.worker()
    finished, unknown = await api.generate(), "gen_000000000000"
    await api.until(finished, "completed")
    slow = await api.generate(duration=60)
    for job_id, expected in ((finished, 422), (unknown, 404), (slow, 409)):
        status, problem = await post(api, job_id, "extend", {"bars": 2})
        assert status == expected, problem
        assert problem["detail"]
    assert await api.delete(slow) == 200
    status, problem = await post(api, finished, "replace", {"from_bar": 0, "to_bar": 1})
    assert (status, problem["errors"][0]["field"]) == (422, "from_bar")


async def test_the_events_of_a_child_reach_its_webhook(system: System, checkpoint: Path) -> None:
    model = with_model(checkpoint)
    api, _ = await system.gateway(**model, **SETTINGS), await system.worker(**model)
    parent = await take(api, 2)
    bodies = {"vary": {"strength": 0}, "extend": {"bars": 1}, "replace": {"from_bar": 1, "to_bar": 1}}
    async with receiving() as receiver:
        wanted = {"webhook": receiver.url, "webhook_events": ["processing", "completed"]}
        children = {(await child(api, parent, route, body | wanted))["job_id"] for route, body in bodies.items()}

        async def arrived() -> bool:
            return {job_id: kinds for job_id, kinds in receiver.kinds.items() if kinds} == {
                job_id: ["processing", "completed"] for job_id in children
            }

        await eventually(arrived, "the events of three children arrive")
    status, problem = await post(api, parent, "vary", {"webhook_events": ["completed"]})
    assert (status, problem["errors"][0]["field"]) == (422, "webhook_events")
