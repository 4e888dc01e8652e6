"""Files of a checkpoint: in its folder, or on the hub and then in its cache here."""

import os
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

CHECKPOINT_FILE = "compression_state_dict.bin"

_SAFETENSORS_FILE = "model.safetensors"
_PICKLE_FILE = "pytorch_model.bin"


def fetch_file(reference: Path | str, name: str) -> Path:
    """The file `name` of a folder, or of a repository on the hub.

    Raises:
        OSError: if it cannot be had; huggingface_hub's own errors are such.
    """
    if Path(reference).is_dir():
        return Path(reference) / name
    from huggingface_hub import hf_hub_download

    # Audiocraft keeps what is in its own format in a cache of its own, if told to.
    cache = os.environ.get("AUDIOCRAFT_CACHE_DIR") if name == CHECKPOINT_FILE else None
    return Path(hf_hub_download(str(reference), name, cache_dir=cache))


def read_tensors(reference: Path | str) -> dict[str, Tensor]:
    """The tensors of a model in transformers' format, on the CPU.

    Args:
        reference: a folder, or a repository on the hub.

    Raises:
        OSError, RuntimeError, pickle.UnpicklingError, safetensors.SafetensorError: if they cannot be had or read.
    """
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return load_file(fetch_file(reference, _SAFETENSORS_FILE))
    except (EntryNotFoundError, FileNotFoundError):
        tensors: dict[str, Tensor] = torch.load(
            fetch_file(reference, _PICKLE_FILE), map_location="cpu", weights_only=True
        )
        return tensors
