"""The recipe in the object's metadata: ASCII, and within S3's limit."""

import json

import msgspec

from shared.messages import Recipe
from worker.delivery.object_metadata import METADATA_LIMIT, recipe_metadata


def test_the_metadata_holds_the_whole_recipe() -> None:
    recipe = Recipe(model="small", prompt="Für Elise ♪ 夜曲", duration=8, seed=7)
    text = recipe_metadata(recipe)["recipe"]
    assert text.isascii()
    assert msgspec.json.decode(text, type=Recipe) == recipe


def test_a_prompt_beyond_the_limit_is_left_out() -> None:
    recipe = Recipe(model="small", prompt="夜" * 500, duration=8, seed=7)
    metadata = recipe_metadata(recipe)
    assert sum(len(name) + len(value) for name, value in metadata.items()) < METADATA_LIMIT
    assert json.loads(metadata["recipe"]) == json.loads(msgspec.json.encode(recipe)) | {"prompt": None}
