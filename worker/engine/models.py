"""Where a model's checkpoint is: on the hub, in a folder, or beside this file."""

from pathlib import Path

from shared.errors import ModelUnavailableError
from shared.models import HUB_REPOSITORIES, STARTER, is_folder

# Written by training/export.py.
STARTER_FOLDER = Path(__file__).parent / "starter_model"

FILES = ("state_dict.bin", "compression_state_dict.bin")


def find_checkpoint(reference: str) -> str:
    """What audiocraft's loaders take, a folder's path or a repository's name, for a model's name or a folder.

    Raises:
        ModelUnavailableError: if the folder is no checkpoint.
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
            f"{folder} is no checkpoint: it lacks {' and '.join(missing)}.",
            "Point MUSICGEN_MODEL_SIZE to a folder in audiocraft's format, or use a model's name.",
        )
    return str(folder)
