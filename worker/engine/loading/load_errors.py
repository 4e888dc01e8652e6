"""Check the device, and turn load errors into messages with a remedy."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from shared.errors import ModelUnavailableError
from worker.engine.interface import UnsupportedCheckpointError


@contextmanager
def explained(model: str, reference: str) -> Iterator[None]:
    """Turn any error of loading into a `ModelUnavailableError`, except `UnsupportedCheckpointError`.

    A damaged file can make YAML, OmegaConf, torch and this package raise almost anything.

    Args:
        model: name of the model as the user gave it.
        reference: the folder or hub repository being loaded.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ModelUnavailableError(
            f"{model} does not fit into the GPU's memory.",
            "Use a smaller MUSICGEN_MODEL_SIZE, free the GPU, or set MUSICGEN_DEVICE=cpu.",
        ) from error
    except (ModelUnavailableError, UnsupportedCheckpointError):
        raise
    except Exception as error:
        raise _of_hub(reference, error) or ModelUnavailableError(
            f"{reference} cannot be loaded: {type(error).__name__}: {str(error)[:300]}",
            "Check that the files are complete (disk space, an interrupted download) and in audiocraft's format.",
        ) from error


def _of_hub(reference: str, error: Exception) -> ModelUnavailableError | None:
    """Explain an error of the hub; None for other errors. The import is late because it is slow and rarely needed."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    if isinstance(error, RepositoryNotFoundError):
        return ModelUnavailableError(
            f"The hub has no {reference}.", "Check MUSICGEN_MODEL_SIZE; a private repository needs HF_TOKEN."
        )
    if isinstance(error, (LocalEntryNotFoundError, HfHubHTTPError, ConnectionError)):
        return ModelUnavailableError(
            f"{reference} cannot be downloaded: the hub is not reachable and the cache does not hold it.",
            "Check the network and HF_ENDPOINT, or point MUSICGEN_MODEL_SIZE to a checkpoint folder.",
            retryable=True,
        )
    return None


def check_device(device: str) -> None:
    """Raises ModelUnavailableError if `device` is cuda and there is no GPU."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ModelUnavailableError(
            "MUSICGEN_DEVICE names a GPU, but PyTorch sees no GPU here.",
            "Check the driver and the GPU's number with nvidia-smi, or set MUSICGEN_DEVICE=auto.",
        )


def pick_device(wanted: str) -> str:
    """Resolve `auto` to the first available of cuda, mps and cpu."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
