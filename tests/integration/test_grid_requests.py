"""Requests in bars, from the POST to the status, and back."""

import json
from typing import Any

import pytest

from tests.integration.system import Api, System

HOUSE: dict[str, Any] = {"prompt": "house with piano", "bars": 2, "bpm": 124, "key": "Am", "loop": True, "seed": 7}


async def post(api: Api, body: dict[str, Any] | str) -> tuple[int, dict[str, Any]]:
    data = body if isinstance(body, str) else json.dumps(body)
    headers = {"Content-Type": "application/json"}
    async with api.http.post("/api/v1/generate", data=data.encode(), headers=headers) as response:
        return response.status, await response.json()


async def test_a_request_in_bars_is_told_and_its_recipe_makes_it_again(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    code, accepted = await post(api, HOUSE)
    assert code == 200
    queued = await api.status(accepted["job_id"])
    assert (queued["bpm"], queued["key"], queued["meter"], queued["bars"]) == (124, "A minor", "4/4", 2)
    done = await api.until(accepted["job_id"], "completed", "failed")
    assert (done["status"], done["loop"]) == ("completed", True)
    assert done["duration"] == pytest.approx(2 * 4 * 60 / 124)
    assert done["actual_duration"] == pytest.approx(done["duration"], abs=1e-4)
    assert done["file_name"].startswith("house_")
    async with api.http.get(done["links"]["audio"], params={"proxy": "1"}) as response:
        assert f'filename="{done["file_name"]}"' in response.headers["Content-Disposition"]
    code, again = await post(api, done["recipe"])
    assert code == 200
    repeated = await api.until(again["job_id"], "completed", "failed")
    assert (repeated["cached"], repeated["recipe"]) == (True, done["recipe"])


async def test_spellings_of_one_request_are_one_recipe(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    same = (
        HOUSE,
        HOUSE | {"bpm": 124.0, "key": "a MINOR", "meter": "4/4", "format": "wav", "title": None, "sample_rate": None},
        {"components": {"custom_text": "house with piano"}} | {name: HOUSE[name] for name in HOUSE if name != "prompt"},
    )
    made = []
    for body in same:
        code, accepted = await post(api, body)
        assert code == 200, accepted
        made.append(await api.until(accepted["job_id"], "completed", "failed"))
    assert [each["cached"] for each in made] == [False, True, True]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ('"bars": 8, "duration": 30', "duration"),
        ('"bars": 129', "bars"),
        ('"bars": 128, "bpm": 40', "bars"),
        ('"bars": "8"', "bars"),
        ('"bpm": 39.9', "bpm"),
        ('"bpm": "124"', "bpm"),
        ('"bpm": 1e999', "bpm"),
        ('"meter": "11/8"', "meter"),
        ('"meter": "4/4\\u0000"', "meter"),
        ('"key": "H\\u266f minor"', "key"),
        ('"key": "\\ud83c\\udfb9"', "key"),
        ('"loop": "yes"', "loop"),
        ('"format": "aac"', "format"),
        ('"sample_rate": 22050', "sample_rate"),
        ('"loudness": 0', "loudness"),
        ('"title": "\\u200b"', "title"),
    ],
)
async def test_what_cannot_be_is_a_422_that_names_the_field(system: System, fields: str, field: str) -> None:
    api = await system.gateway()
    code, problem = await post(api, f'{{"prompt": "house", {fields}}}')
    assert (code, problem["errors"][0]["field"]) == (422, field)
    assert problem["detail"].startswith(f"{field}: ")


async def test_nan_is_not_json(system: System) -> None:
    code, problem = await post(await system.gateway(), '{"prompt": "house", "bpm": NaN}')
    assert (code, problem["title"]) == (400, "Bad Request")
