"""Find and identify checkpoints: on the hub, in a folder, or shipped with the package."""

import hashlib
import os
from pathlib import Path

from shared.errors import ModelUnavailableError
from shared.models import HUB_REPOSITORIES, STARTER, is_folder
from worker.engine.checksums import check_files

# Written by training/export.py.
STARTER_FOLDER = Path(__file__).parents[1] / "starter_model"

# Bytes at each end of a file that `identify` reads.
SAMPLE = 64 * 1024

LANGUAGE_MODEL_FILE, CODEC_FILE = FILES = ("state_dict.bin", "compression_state_dict.bin")


def find_checkpoint(reference: str) -> str:
    """Resolve a model's name or a folder to a folder's path or a hub repository, as audiocraft's loaders expect.

    Raises:
        ModelUnavailableError: if the folder is not a checkpoint, or one of its files is damaged.
    """
    if is_folder(reference):
        return _folder(Path(reference).expanduser().resolve())
    if reference == STARTER:
        return _folder(STARTER_FOLDER)
    return HUB_REPOSITORIES[reference]


def _folder(folder: Path) -> str:
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ModelUnavailableError(
            f"{folder} is not a checkpoint: it lacks {' and '.join(missing)}.",
            "Point MUSICGEN_MODEL_SIZE to a folder in audiocraft's format, or use a model's name.",
        )
    check_files(folder)
    return str(folder)


def identify(reference: str) -> str | None:
    """A fingerprint of a checkpoint folder, computed within milliseconds; None for the hub, whose models never change.

    It covers each file's name, size and both ends. PyTorch files are zip archives, whose end has a checksum of each
    tensor.
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


def fetch_file(reference: Path | str, name: str) -> Path:
    """The path of a file in a checkpoint folder, or of a file on the hub, downloaded if necessary.

    Raises:
        OSError: if it cannot be downloaded; huggingface_hub's errors are OSErrors.
    """
    if Path(reference).is_dir():
        return Path(reference) / name
    from huggingface_hub import hf_hub_download  # the import takes half a second

    # audiocraft may be configured to use a separate cache for files in its own format.
    cache = os.environ.get("AUDIOCRAFT_CACHE_DIR") if name == CODEC_FILE else None
    return Path(hf_hub_download(str(reference), name, cache_dir=cache))
