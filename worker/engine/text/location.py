"""Finds a text encoder's files: in a folder, or on the Hugging Face hub and its cache."""

from pathlib import Path

from worker.engine.text.special_tokens import CONFIGURATION_FILE, LEGACY_FILE
from worker.engine.text.vocabulary import SENTENCEPIECE_FILE, TOKENIZER_FILE
from worker.engine.text.weights import PICKLE_FILE, SAFETENSORS_FILE

_SMALL_FILES = ["config.json", TOKENIZER_FILE, CONFIGURATION_FILE, LEGACY_FILE, "added_tokens.json"]


def locate(name_or_folder: str, *, with_weights: bool) -> Path:
    """The folder with the files of a text encoder; only those that are needed are downloaded.

    Raises:
        OSError, huggingface_hub.errors.HfHubHTTPError: if the hub has no such name or cannot be reached, and its
            cache holds nothing.
    """
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    folder = _download(name_or_folder, _SMALL_FILES + [SAFETENSORS_FILE] * with_weights)
    # A repository may hold the same weights in five formats: the second best is fetched only for want of the best.
    fallbacks = []
    if with_weights and not (folder / SAFETENSORS_FILE).is_file():
        fallbacks.append(PICKLE_FILE)
    if not (folder / TOKENIZER_FILE).is_file():
        fallbacks.append(SENTENCEPIECE_FILE)
    return _download(name_or_folder, fallbacks) if fallbacks else folder


def _download(name: str, files: list[str]) -> Path:
    # Its import takes a third of a second, and a folder needs none of it.
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(name, allow_patterns=files))
