"""Where a model's checkpoint is: on the hub, in a folder, or made here on first use."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from shared.errors import ModelUnavailableError
from shared.models import HUB_REPOSITORIES, STARTER, is_folder

# Part of the cache folder's name: raise it whenever what `starter` writes changes.
STARTER_VERSION = 1

# Bytes at either end of a file that are looked at to tell it from another one.
SAMPLE = 64 * 1024

FILES = ("state_dict.bin", "compression_state_dict.bin")


def find_checkpoint(reference: str, on_loading: Callable[[str], None]) -> str:
    """What audiocraft's loaders take: a folder's path or a repository's name.

    Args:
        reference: a model's name or a folder.
        on_loading: told what takes time.

    Raises:
        ModelUnavailableError: if the folder is no checkpoint, or there is no room for one.
    """
    if is_folder(reference):
        return _folder(Path(reference).expanduser().resolve())
    if reference == STARTER:
        return str(_starter(on_loading))
    return HUB_REPOSITORIES[reference]


def _folder(folder: Path) -> str:
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ModelUnavailableError(
            f"{folder} is no checkpoint: it lacks {' and '.join(missing)}.",
            "Point MUSICGEN_MODEL_SIZE to a folder in audiocraft's format, or use a model's name.",
        )
    return str(folder)


def _starter(on_loading: Callable[[str], None]) -> Path:
    folder = cache_folder() / f"starter-{STARTER_VERSION}"
    if not all((folder / name).is_file() for name in FILES):
        from worker.engine.starter import write_starter  # imports audiocraft, and is needed once

        on_loading("Making the starter model")
        try:
            write_starter(folder)
        except OSError as error:
            raise ModelUnavailableError(
                f"The starter model cannot be written to {folder}: {error.strerror}.",
                "Free some disk space, or set MUSICGEN_CACHE_DIR to a folder that can be written.",
            ) from error
    return folder


def identify(reference: str) -> str | None:
    """What tells a checkpoint folder from another one, within milliseconds; None for the hub, where none changes.

    Of each file its name, its size and both ends: PyTorch's are zip archives, whose end has a checksum of each tensor.
    """
    folder = Path(reference)
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for file in sorted(each for each in folder.rglob("*") if each.is_file()):
        size = file.stat().st_size
        digest.update(f"{file.relative_to(folder)} {size}\n".encode())
        with file.open("rb") as stream:
            digest.update(stream.read(SAMPLE))
            stream.seek(max(size - SAMPLE, 0))
            digest.update(stream.read(SAMPLE))
    return digest.hexdigest()[:16]


def cache_folder() -> Path:
    """Where models that are made here are kept."""
    configured = os.environ.get("MUSICGEN_CACHE_DIR")
    return Path(configured) if configured else user_cache_path("tellurstori-musicgen")
