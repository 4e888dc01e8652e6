"""The metadata of stored objects, which holds the recipe."""

import json

import msgspec

from shared.messages import Recipe
from shared.version import VERSION

# S3 limits the metadata of an object to 2 KB in total.
METADATA_LIMIT = 1800


def recipe_metadata(recipe: Recipe) -> dict[str, str]:
    """The recipe as object metadata: ASCII, without the prompt or the parent's score if they exceed S3's limit."""
    fields = msgspec.to_builtins(recipe)
    text = _ascii_json(fields)
    if len(text) > METADATA_LIMIT:
        short = {"prompt": None} if recipe.edit is None else {"prompt": None, "edit": {"parent": recipe.edit.parent}}
        text = _ascii_json(fields | short)
    return {"recipe": text, "generator": f"tellurstori-musicgen {VERSION}"}


def _ascii_json(fields: dict[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"))
