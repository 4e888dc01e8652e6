"""The metadata of stored objects, which holds the recipe."""

import json

import msgspec

from shared.messages import Recipe
from shared.version import VERSION

# S3 limits the metadata of an object to 2 KB in total.
METADATA_LIMIT = 1800


def recipe_metadata(recipe: Recipe) -> dict[str, str]:
    """The recipe as object metadata: ASCII, without the prompt if that would exceed S3's limit."""
    fields = msgspec.to_builtins(recipe)
    text = _ascii_json(fields)
    if len(text) > METADATA_LIMIT:
        text = _ascii_json(fields | {"prompt": None})
    return {"recipe": text, "generator": f"tellurstori-musicgen {VERSION}"}


def _ascii_json(fields: dict[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"))
