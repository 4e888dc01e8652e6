"""The endpoints of the prompt builder."""

import pytest

from gateway.prompts import VOCABULARY
from tests.unit.gateway.conftest import Api

EXAMPLE = {
    "genre": "electronic",
    "tempo": "fast",
    "mood": "energetic",
    "instruments": ["synthesizer", "drums"],
    "artist_style": "similar to Daft Punk",
}


async def test_the_example_of_the_contract_is_built(api: Api) -> None:
    async with api.post("/api/v1/prompt/build", json=EXAMPLE) as response:
        assert response.status == 200
        assert await response.json() == {
            "structured_prompt": "electronic music, fast tempo, energetic mood, featuring synthesizer and drums, "
            "similar to Daft Punk",
            "components": {
                "genre": "electronic music",
                "tempo": "fast tempo",
                "mood": "energetic mood",
                "instruments": "featuring synthesizer and drums",
                "artist_style": "similar to Daft Punk",
            },
        }


@pytest.mark.parametrize(
    "body", [{}, {"genre": None}, {"genre": " ", "instruments": []}, {"genre": "\u200b", "instruments": ["\u3164"]}]
)
async def test_empty_components_are_refused(api: Api, body: dict[str, object]) -> None:
    async with api.post("/api/v1/prompt/build", json=body) as response:
        assert response.status == 422
        assert "genre" in (await response.json())["detail"]


@pytest.mark.parametrize(
    ("complexity", "parts"),
    [
        ("simple", {"genre", "mood"}),
        ("medium", {"genre", "tempo", "mood", "instruments"}),
        ("complex", {"genre", "tempo", "mood", "instruments", "custom_text"}),
    ],
)
async def test_a_random_prompt_has_the_parts_of_its_complexity(api: Api, complexity: str, parts: set[str]) -> None:
    async with api.get("/api/v1/prompt/random", params={"complexity": complexity}) as response:
        body = await response.json()
    assert set(body["components"]) == parts
    assert body["structured_prompt"] == ", ".join(body["components"].values())


async def test_a_random_prompt_is_within_the_limits_of_the_builder(api: Api) -> None:
    seen = set()
    for _ in range(20):
        async with api.get("/api/v1/prompt/random") as response:
            seen.add((await response.json())["structured_prompt"])
    assert len(seen) > 1
    assert all(0 < len(prompt) <= 500 for prompt in seen)


async def test_the_vocabulary_is_listed(api: Api) -> None:
    async with api.get("/api/v1/prompt/vocabulary") as response:
        body = await response.json()
    assert [genre["name"] for genre in body["genres"]] == [genre.name for genre in VOCABULARY.genres]
    assert set(body) == {"genres", "tempos", "moods", "instruments"}


async def test_control_characters_are_refused_and_bidi_controls_removed(
    api: Api,
) -> None:
    async with api.post("/api/v1/prompt/build", json={"genre": "jazz", "mood": "a\u0000b"}) as response:
        assert response.status == 422
        assert [error["field"] for error in (await response.json())["errors"]] == ["mood"]
    async with api.post("/api/v1/prompt/build", json={"custom_text": "\u202ejazz"}) as response:
        assert (await response.json())["structured_prompt"] == "jazz"


async def test_a_prompt_is_read_into_components(api: Api) -> None:
    async with api.post("/api/v1/prompt/parse", json={"prompt": "  124 bpm in A minor, 3/4\u202e "}) as response:
        assert response.status == 200
        body = await response.json()
    assert body["components"] == {"bpm": 124, "key": "A minor", "meter": "3/4"}
    assert set(body) == {"components", "duration", "understood", "ignored", "ignored_because"}
    async with api.post("/api/v1/prompt/build", json=body["components"]) as response:
        assert (await response.json())["structured_prompt"] == "at 124 BPM, in A minor, in 3/4"


@pytest.mark.parametrize(
    "prompt", ["", " ", "\u200b", "a\u0000b", "x" * 501, None, 7, ["house"]], ids=lambda prompt: repr(prompt)[:12]
)
async def test_what_is_no_prompt_is_refused_with_the_field(api: Api, prompt: object) -> None:
    async with api.post("/api/v1/prompt/parse", json={"prompt": prompt}) as response:
        assert response.status == 422
        assert response.content_type == "application/problem+json"
        assert [error["field"] for error in (await response.json())["errors"]] == ["prompt"]
