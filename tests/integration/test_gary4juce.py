"""The requests of the plugin gary4juce (its "sa3" tab), as its source sends them, against a gateway."""

import base64
import io
import json
from typing import Any

import pytest
import soundfile

from tests.integration.system import Api, System, eventually

# Of `sendToSA3` in Source/PluginEditor.Jerry.cpp, in the layout of juce::JSON::toString.
GENERATE = """{
  "prompt": "warm shoegaze guitars, 124 bpm, F# minor",
  "steps": 8,
  "cfg_scale": 1.0,
  "shift": "logsnr",
  "seed": -1,
  "loras": [],
  "duration": 2
}"""
LOOP = GENERATE.replace('"duration": 2', '"bars": 4').replace('"seed": -1', '"seed": 7')
JSON_TYPE = {"Content-Type": "application/json"}


@pytest.fixture
async def api(system: System) -> Api:
    return await system.gateway(GATEWAY_GARY4JUCE="1")


async def post(api: Api, path: str, body: str) -> dict[str, Any]:
    async with api.http.post(path, data=body, headers=JSON_TYPE) as response:
        assert response.status == 200
        answer: dict[str, Any] = await response.json()
        return answer


async def poll(api: Api, session: str) -> dict[str, Any]:
    headers = {"Accept": "application/json", **JSON_TYPE}
    async with api.http.get(f"/poll_status/{session}", headers=headers) as response:
        assert response.status == 200
        answer: dict[str, Any] = json.loads(await response.text())
        return answer


async def until_ended(api: Api, session: str) -> dict[str, Any]:
    async def ended() -> dict[str, Any] | None:
        answer = await poll(api, session)
        return None if answer["generation_in_progress"] else answer

    found: dict[str, Any] = await eventually(ended, "the session ends")
    return found


async def test_the_plugin_gets_the_wav_file_of_its_prompt(system: System, api: Api) -> None:
    await system.worker()
    accepted = await post(api, "/generate", GENERATE)
    assert accepted["success"] is True
    recipe = (await api.status(accepted["session_id"]))["recipe"]
    assert (recipe["bpm"], recipe["key"], recipe["duration"]) == (124, "F# minor", 2)
    assert accepted["seed"] == str(recipe["seed"])
    ended = await until_ended(api, accepted["session_id"])
    assert (ended["success"], ended["status"]) == (True, "completed")
    data = base64.b64decode(ended["audio_data"], validate=True)
    assert data == await api.download(accepted["session_id"])
    assert soundfile.info(io.BytesIO(data)).duration == 2


async def test_a_loop_has_the_requested_bars_at_the_tempo_of_the_daw(api: Api) -> None:
    accepted = await post(api, "/generate/loop", LOOP)
    recipe = (await api.status(accepted["session_id"]))["recipe"]
    assert (recipe["bars"], recipe["bpm"], recipe["loop"], recipe["seed"]) == (4, 124, True, 7)


async def test_a_session_without_a_worker_is_warming_and_then_queued(system: System, api: Api) -> None:
    session = (await post(api, "/generate", GENERATE.replace("warm", "slow")))["session_id"]
    assert (await poll(api, session))["queue_status"]["status"] == "warming"
    await system.worker(MAX_CONCURRENT_JOBS="1")
    await api.until(session, "processing")
    behind = (await post(api, "/generate", GENERATE))["session_id"]
    answer = await poll(api, behind)
    assert answer["queue_status"]["status"] == "queued"
    assert isinstance(answer["queue_status"]["position"], int)
    assert isinstance(answer["queue_status"]["estimated_seconds"], int)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"duration": 300}, "duration"),
        ({"prompt": "drone, 900 bpm"}, "bpm"),
        ({"seed": 2**40}, "seed"),
        ({"prompt": ""}, "prompt"),
    ],
)
async def test_the_plugin_can_show_why_a_request_is_refused(api: Api, changes: dict[str, Any], reason: str) -> None:
    answer = await post(api, "/generate", json.dumps(json.loads(GENERATE) | changes))
    assert answer["success"] is False
    assert reason in answer["error"]


async def test_a_cancelled_session_is_a_failure_with_its_reason(api: Api) -> None:
    session = (await post(api, "/generate", GENERATE))["session_id"]
    assert await api.delete(session) == 200
    answer = await poll(api, session)
    assert (answer["status"], answer["generation_in_progress"]) == ("failed", False)
    assert "cancelled" in answer["error"]


async def test_an_unknown_session_is_refused(api: Api) -> None:
    answer = await poll(api, "gen_000000000000")
    assert answer["success"] is False
    assert "no job" in answer["error"]


async def test_the_dice_get_prompts_and_the_list_of_variants_is_empty(api: Api) -> None:
    async with api.http.get("/prompts") as response:
        pool = (await response.json())["prompts"]["dice"]["generic"]
    assert len(set(pool)) > 1
    assert not [prompt for prompt in pool if "tempo" in prompt]
    async with api.http.get("/loras") as response:
        assert (await response.json()) == {"loras": []}


async def test_the_routes_are_off_by_default(system: System) -> None:
    plain = await system.gateway()
    async with plain.http.post("/generate", data=GENERATE, headers=JSON_TYPE) as response:
        assert response.status == 404
