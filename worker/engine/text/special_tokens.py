"""Special tokens of a T5 tokenizer, such as "</s>" and "<extra_id_0>".

Follows transformers 5: `PreTrainedTokenizerBase._from_pretrained`, `T5Tokenizer.__init__` and
`TokenizersBackend.__init__`, for the files of T5 tokenizers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from worker.engine.text.configuration import UnsupportedTextEncoderError

CONFIGURATION_FILE = "tokenizer_config.json"
LEGACY_FILE = "special_tokens_map.json"

_DEFAULTS = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
_NAMES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_LISTS = ("extra_special_tokens", "additional_special_tokens")
_EXTRA_IDS = 100  # T5Tokenizer's default

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """The special tokens of a tokenizer.

    Attributes:
        added: all of them, in the order in which those missing from the vocabulary get ids.
        end: the end-of-sequence token.
    """

    added: list[AddedToken]
    end: str


def read_tokenizer_config(folder: Path) -> Json:
    """Read tokenizer_config.json; empty if there is none.

    Raises:
        UnsupportedTextEncoderError: if it needs a feature that this code does not support.
        OSError: if it cannot be read.
    """
    configuration = _read_json(folder / CONFIGURATION_FILE)
    for option in ("split_special_tokens", "fast_tokenizer_files", "init_inputs"):
        if configuration.get(option):
            raise UnsupportedTextEncoderError(f"{folder / CONFIGURATION_FILE} sets {option}.")
    for option, value in configuration.items():
        if option.endswith("_token") and option not in _NAMES and isinstance(value, str | dict):
            raise UnsupportedTextEncoderError(f"{folder / CONFIGURATION_FILE} has an unknown {option}.")
    return configuration


def extra_ids(configuration: Json) -> list[str]:
    """T5's sentinel tokens in ascending order."""
    return [f"<extra_id_{number}>" for number in range(configuration.get("extra_ids", _EXTRA_IDS))]


def read_special_tokens(
    folder: Path, configuration: Json, declared: Sequence[Json], controls: Sequence[str]
) -> SpecialTokens:
    """Read the special tokens of the tokenizer in `folder`.

    Args:
        folder: the tokenizer's folder.
        configuration: content of tokenizer_config.json.
        declared: the `added_tokens` of tokenizer.json.
        controls: the control pieces of a sentencepiece model.

    Raises:
        UnsupportedTextEncoderError: if the files need a feature that this code does not support.
        OSError: if a file cannot be read.
    """
    # A newer tokenizer_config.json lists all tokens; tokenizer.json and the legacy file are then ignored.
    listed = configuration.get("added_tokens_decoder")
    legacy: Json = {}
    if listed is None:
        legacy = _read_json(folder / LEGACY_FILE)
        listed = {token["id"]: {key: token[key] for key in token if key != "id"} for token in declared}
        if (folder / "added_tokens.json").exists():
            raise UnsupportedTextEncoderError(f"{folder} has an added_tokens.json.")
    named = {**_DEFAULTS, **configuration, **legacy}
    tokens = [_token(listed[number]) for number in sorted(listed, key=int)]
    tokens += [_token(named[name]) for name in _NAMES if named.get(name) is not None]
    tokens += [_token(value) for value in _extra_tokens(configuration, legacy, controls)]
    unique: dict[str, AddedToken] = {}
    for token in tokens:
        unique.setdefault(token.content, token)
    return SpecialTokens(list(unique.values()), _token(named["eos_token"]).content)


def _extra_tokens(configuration: Json, legacy: Json, controls: Sequence[str]) -> list[str | Json]:
    """Special tokens without a role: T5's sentinels, unless the files list others."""
    given = [configuration[name] for name in _LISTS if name in configuration]
    chosen: list[str | Json]
    if given:
        chosen = next((each for each in given if each), [])
    else:
        chosen = [*(controls or legacy.get("additional_special_tokens") or [])]
        if not any("<extra_id_" in str(each) for each in chosen):
            chosen += extra_ids(configuration)
    if not isinstance(chosen, list) or "extra_special_tokens" in legacy:
        raise UnsupportedTextEncoderError("The tokenizer's extra special tokens are not a list.")
    return chosen


def _token(value: str | Mapping[str, Any] | None) -> AddedToken:
    if isinstance(value, str):
        return AddedToken(value, special=True)
    try:
        fields = {key: field for key, field in (value or {}).items() if key != "__type"}
        return AddedToken(**{"special": True, **fields})
    except (TypeError, AttributeError) as error:
        raise UnsupportedTextEncoderError(f"The tokenizer has a special token of unknown form: {value!r}") from error


def _read_json(file: Path) -> Json:
    if not file.is_file():
        return {}
    try:
        content = json.loads(file.read_bytes())
    except ValueError as error:
        raise UnsupportedTextEncoderError(f"{file} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise UnsupportedTextEncoderError(f"{file} holds no JSON object.")
    return content
