"""Read the tensors of a T5 encoder, and check their shapes."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from worker.engine.text.configuration import UnsupportedTextEncoderError

SAFETENSORS_FILE = "model.safetensors"
PICKLE_FILE = "pytorch_model.bin"
# Prefix of a fine-tuned T5's tensors in a MusicGen checkpoint.
CHECKPOINT_PREFIX = "condition_provider.conditioners.description.t5."

_EMBEDDING = "shared.weight"
_TIED_EMBEDDING = "encoder.embed_tokens.weight"


class EncoderWeights:
    """Tensors with the names of transformers' `T5EncoderModel`."""

    def __init__(self, tensors: Mapping[str, Tensor], device: str | torch.device) -> None:
        """Select the encoder's tensors.

        Args:
            tensors: tensors of a T5, with or without its decoder, or of a MusicGen checkpoint with a fine-tuned T5.
            device: where `take` moves them.

        Raises:
            UnsupportedTextEncoderError: if there are two different embeddings.
        """
        fine_tuned = {
            name.removeprefix(CHECKPOINT_PREFIX): tensor
            for name, tensor in tensors.items()
            if name.startswith(CHECKPOINT_PREFIX)
        }
        self._left = {name: tensor for name, tensor in (fine_tuned or tensors).items() if is_encoder_tensor(name)}
        self._device = device
        tied = self._left.pop(_TIED_EMBEDDING, None)
        if tied is not None and not torch.equal(tied, self._left.setdefault(_EMBEDDING, tied)):
            raise UnsupportedTextEncoderError(f"{_EMBEDDING} and {_TIED_EMBEDDING} differ.")

    def take(self, name: str, *shape: int) -> Tensor:
        """Remove and return the tensor `name`, as float32.

        Raises:
            UnsupportedTextEncoderError: if it is missing, has another shape, or does not hold floats.
        """
        tensor = self._left.pop(name, None)
        if tensor is None:
            raise UnsupportedTextEncoderError(f"The text encoder's weights lack {name}.")
        if tuple(tensor.shape) != shape:
            raise UnsupportedTextEncoderError(f"{name} has the shape {list(tensor.shape)} instead of {list(shape)}.")
        if not tensor.is_floating_point():
            raise UnsupportedTextEncoderError(f"{name} holds {tensor.dtype}, not floats.")
        return tensor.detach().to(self._device, torch.float32)

    def check_nothing_left(self) -> None:
        """Raises UnsupportedTextEncoderError if a tensor was not taken: it would change the output."""
        if self._left:
            raise UnsupportedTextEncoderError(f"The text encoder has an unknown tensor {min(self._left)}.")


def is_encoder_tensor(name: str) -> bool:
    """Whether the tensor belongs to the encoder; files of a whole T5 also hold its decoder."""
    return name == _EMBEDDING or name.startswith("encoder.")


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read the encoder's tensors in `folder`, on the CPU and in the file's precision.

    Raises:
        UnsupportedTextEncoderError: if there is no weights file.
        OSError, safetensors.SafetensorError, pickle.UnpicklingError: if the file cannot be read.
    """
    if (folder / SAFETENSORS_FILE).is_file():
        with safe_open(folder / SAFETENSORS_FILE, framework="pt") as file:
            # Reading tensors one by one skips the decoder.
            return {name: file.get_tensor(name) for name in file.keys() if is_encoder_tensor(name)}  # noqa: SIM118
    if (folder / PICKLE_FILE).is_file():
        tensors = torch.load(folder / PICKLE_FILE, map_location="cpu", weights_only=True)
        return {name: tensor for name, tensor in tensors.items() if is_encoder_tensor(name)}
    raise UnsupportedTextEncoderError(f"{folder} has neither {SAFETENSORS_FILE} nor {PICKLE_FILE}.")
