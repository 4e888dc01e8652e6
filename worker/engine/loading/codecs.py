"""Load the codec of a MusicGen checkpoint without audiocraft or transformers, which take seconds to import."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file
from torch import Tensor

from worker.engine.codec_interface import Codec, UnsupportedCodecError
from worker.engine.encodec import audiocraft_format, huggingface_format
from worker.engine.encodec.architecture import Architecture
from worker.engine.encodec.audio_encoder import AudioEncoder, build_encoder
from worker.engine.encodec.codec import Codebooks, EncodecCodec
from worker.engine.encodec.network import build_layers
from worker.engine.encodec.weights import CODEBOOK, Names, NetworkWeights
from worker.engine.kernels.codec_layers import CodecThreads
from worker.engine.loading.checkpoints import CODEC_FILE, fetch_file
from worker.engine.sampler.score import LEVEL

_SAFETENSORS_FILE = "model.safetensors"
_PICKLE_FILE = "pytorch_model.bin"


def load_codec(
    folder: Path | str,
    device: torch.device,
    *,
    stereo: bool,
    dtype: torch.dtype = torch.float32,
    native: CodecThreads | None = None,
) -> Codec:
    """Load the codec of a MusicGen checkpoint.

    Args:
        folder: the checkpoint's folder, or a repository on the hub.
        device: where it computes and returns its audio.
        stereo: whether the codebooks of left and right alternate, per codebook and not per time step.
        dtype: what EnCodec multiplies, float32 or bfloat16; it adds in float32. Only processors for which weights are
            packed follow it.
        native: computes EnCodec's layers in bfloat16 on the CPU, in place of PyTorch.

    Raises:
        UnsupportedCodecError: if this code does not support it.
        OSError, RuntimeError, pickle.UnpicklingError, safetensors.SafetensorError: if it cannot be found or read.
    """
    package = torch.load(fetch_file(folder, CODEC_FILE), map_location="cpu", weights_only=True)
    if "pretrained" in package:
        return _load_pretrained(package["pretrained"], device, dtype, native, stereo)
    return _load_audiocraft(package, device, dtype, native, stereo)


def _load_audiocraft(
    package: dict[str, Any], device: torch.device, dtype: torch.dtype, native: CodecThreads | None, stereo: bool
) -> Codec:
    missing = {"xp.cfg", "best_state"} - package.keys()
    if missing:
        raise UnsupportedCodecError(f"{CODEC_FILE} lacks {min(missing)}.")
    if is_sampler(package["xp.cfg"]):
        return _load_sampler(stereo, score_level(package["xp.cfg"]))
    text, tensors, names = package["xp.cfg"], package["best_state"], audiocraft_format.NAMES
    architecture = audiocraft_format.read_architecture(text)
    weights = NetworkWeights(tensors, names, "decoder", device, dtype, native)

    def encoder() -> AudioEncoder:
        return _build_encoder(audiocraft_format.read_architecture(text, "encoder"), tensors, names, stereo)

    return _build(architecture, weights, stereo, encoder)


def _load_sampler(stereo: bool, level: int) -> Codec:
    if stereo:
        raise UnsupportedCodecError("A sampler has no mono codec whose codebooks could alternate for stereo.")
    from worker.engine.sampler.codec import SamplerCodec  # loads its sample bank

    return SamplerCodec(level=level)


def is_sampler(text: str) -> bool:
    """Whether an `xp.cfg` names the sampler as its codec."""
    return bool(OmegaConf.select(OmegaConf.create(text), "compression_model") == "sampler")


def score_level(text: str) -> int:
    """The level of the scores that a sampler's `xp.cfg` declares; 1 if it declares none.

    Raises:
        UnsupportedCodecError: if it is later than this program's.
    """
    level = OmegaConf.select(OmegaConf.create(text), "score_level", default=1)
    if level not in range(1, LEVEL + 1):
        raise UnsupportedCodecError(
            f"The model writes scores of level {level}, but this version reads {LEVEL}: update it."
        )
    return int(level)


def _load_pretrained(
    name: str, device: torch.device, dtype: torch.dtype, native: CodecThreads | None, stereo: bool
) -> Codec:
    """Load what audiocraft's `CompressionModel.get_pretrained` loads, except DAC and its debugging model."""
    if (Path(name) / CODEC_FILE).is_file():
        return load_codec(name, device, stereo=stereo, dtype=dtype, native=native)
    if not Path(name).is_dir() and "/" not in name:
        raise UnsupportedCodecError(f"{CODEC_FILE} names an unknown codec, {name}.")
    architecture = huggingface_format.read_architecture(fetch_file(name, huggingface_format.CONFIGURATION_FILE))
    tensors, names = _read_tensors(name), huggingface_format.NAMES
    weights = NetworkWeights(tensors, names, "decoder", device, dtype, native)
    return _build(architecture, weights, stereo, lambda: _build_encoder(architecture, tensors, names, stereo))


def _read_tensors(reference: Path | str) -> dict[str, Tensor]:
    """The tensors of a model in transformers' format, on the CPU.

    Args:
        reference: a folder, or a repository on the hub.

    Raises:
        OSError, RuntimeError, pickle.UnpicklingError, safetensors.SafetensorError: if they cannot be found or read.
    """
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return load_file(fetch_file(reference, _SAFETENSORS_FILE))
    except (EntryNotFoundError, FileNotFoundError):
        tensors: dict[str, Tensor] = torch.load(
            fetch_file(reference, _PICKLE_FILE), map_location="cpu", weights_only=True
        )
        return tensors


def _build(
    architecture: Architecture, weights: NetworkWeights, stereo: bool, encoder: Callable[[], AudioEncoder]
) -> Codec:
    if stereo and architecture.channels != 1:
        raise UnsupportedCodecError(f"Stereo from a codec with {architecture.channels} channels is not supported.")
    return EncodecCodec(
        Codebooks(_codebooks(architecture, weights)),
        build_layers(architecture, weights),
        sample_rate=architecture.sample_rate,
        samples_per_frame=architecture.samples_per_frame,
        channels=architecture.channels,
        runs=2 if stereo else 1,
        encoder=_supported(encoder),
    )


def _build_encoder(
    architecture: Architecture, tensors: Mapping[str, Tensor], names: Names, stereo: bool
) -> AudioEncoder:
    """Build the encoder, on the CPU: it works in parallel to the batch, and its memory is not a GPU's."""
    weights = NetworkWeights(tensors, names, "encoder", torch.device("cpu"))
    return build_encoder(architecture, weights, _codebooks(architecture, weights), runs=2 if stereo else 1)


def _supported(encoder: Callable[[], AudioEncoder]) -> AudioEncoder | None:
    """The encoder; None if only audiocraft supports it: text alone does not need it."""
    try:
        return encoder()
    except UnsupportedCodecError:
        return None


def _codebooks(architecture: Architecture, weights: NetworkWeights) -> list[Tensor]:
    shape = architecture.codebook_size, architecture.dimension
    return [weights.take(f"{CODEBOOK}.{index}", *shape) for index in range(architecture.codebooks)]
