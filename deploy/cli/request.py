"""The request of `musicgen generate`: its options as a body for the gateway, and invalid fields as options."""

import argparse
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from deploy.cli.arguments import UsageError
from deploy.cli.file_names import format_of
from shared.errors import MusicgenError
from shared.files import OUTPUT_KINDS
from shared.prompt.reader import read_prompt

# Options whose names are those of the request's fields.
FIELDS = (
    *("prompt", "negative_prompt", "bars", "duration", "bpm", "meter", "key", "loop"),
    *("format", "sample_rate", "sample_format", "loudness", "title"),
    *("model", "seed", "temperature", "top_k", "top_p", "cfg_coef", "cache", "priority", "variations"),
)
# A change of these makes other music as a whole, not another child of a take.
WHOLE = {"prompt", "negative_prompt", "bars", "duration", "bpm", "meter", "key", "loop", "model"}
DEFAULT_SECONDS = 8.0
OTHER_NAMES = {
    "prompt": "PROMPT",
    "negative_prompt": "--negative",
    "outputs": "--stems, --midi",
    "cache": "--no-cache",
    "from_bar": "--bars",
    "to_bar": "--bars",
}
# The gateway's wording of a broken limit, for programs; and the same for a reader.
WORDINGS = (
    (re.compile(r"Expected `str[^`]*` of length <= (\d+)"), r"Must have at most \1 characters."),
    (re.compile(r"Expected `str[^`]*` of length >= 1"), r"Must not be empty."),
    (re.compile(r"Expected `[^`]*` >= ([\d.-]+?)(?:\.0)?"), r"Must be at least \1."),
    (re.compile(r"Expected `[^`]*` <= ([\d.-]+?)(?:\.0)?"), r"Must be at most \1."),
    (re.compile(r"Object contains unknown field .*"), "This gateway does not know it; it is an older version."),
)


def request_body(options: argparse.Namespace) -> dict[str, Any]:
    """The body of the request; only what the user chose, so that the gateway's defaults hold.

    Raises:
        UsageError: if there is no prompt, or -o and --format contradict each other.
        MusicgenError: if there is no recipe in the file.
    """
    body = {name: value for name in FIELDS if (value := getattr(options, name)) is not None}
    named = format_of(options.output)
    if named and body.setdefault("format", named) != named:
        raise UsageError(f"{options.output} does not fit --format {options.format}. Omit one of them.")
    if options.from_file is not None:
        body = _recipe_of(options.from_file, body) | body
    if "prompt" not in body:
        raise UsageError("Describe the music: give a PROMPT, or a file with --from-file.")
    if not body.keys() & {"bars", "duration"} and not _states_length(body["prompt"]):
        body["duration"] = DEFAULT_SECONDS
    outputs = [kind for kind in OUTPUT_KINDS if getattr(options, kind)]
    return body | ({"outputs": outputs} if outputs else {})


def _states_length(prompt: str) -> bool:
    """Whether the prompt's own words say how long the music is: "8 bars of house"."""
    reading = read_prompt(prompt)
    return reading.bars is not None or reading.seconds is not None


def _recipe_of(file: Path, changes: dict[str, Any]) -> dict[str, Any]:
    """The recipe in a file as a body, without what the changes make meaningless."""
    from worker.production.formats import read_recipe

    try:
        recipe = msgspec.to_builtins(read_recipe(file))
    except OSError as error:
        raise MusicgenError(f"{file} cannot be read: {error.strerror or error}.") from error
    if recipe["bars"] or changes.keys() & {"bars", "duration"}:
        del recipe["duration"]  # it follows from bars, tempo and meter
    if "duration" in changes:
        recipe["bars"] = None
    if changes.get("format") in ("ogg", "mp3"):
        del recipe["sample_format"]
    kept = {*FIELDS, "audio"} if changes.keys() & WHOLE else {*FIELDS, "audio", "edit", "score"}
    return {name: value for name, value in recipe.items() if name in kept and value is not None}


def fields_as_options(errors: Iterable[tuple[str, str]]) -> str:
    """The invalid fields of a request, a line each, with the options' names in place of the fields' names."""
    return "\n".join(f"{_option(field)}: {_reworded(message)}" for field, message in errors)


def command_for(recipe: Mapping[str, Any]) -> str:
    """The command that makes the audio of a recipe again."""
    words = ["musicgen", "generate", str(recipe["prompt"])]
    for name in FIELDS[1:]:
        value = recipe.get(name)
        if value is True:
            words.append(_option(name))
        elif value not in (None, False) and not (name == "duration" and recipe.get("bars")):
            words += [_option(name), str(value).removesuffix(".0")]
    return shlex.join(words)


def _option(field: str) -> str:
    return OTHER_NAMES.get(field) or (f"--{field.replace('_', '-')}" if field.isidentifier() else field)


def _reworded(message: str) -> str:
    for pattern, wording in WORDINGS:
        if found := pattern.fullmatch(message):
            return found.expand(wording)
    return message
