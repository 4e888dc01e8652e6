"""Small codecs with random weights, built by audiocraft."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from audiocraft.models import builders
from audiocraft.models.encodec import InterleaveStereoCompressionModel
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

CODEBOOK_SIZE = 32
CODEBOOKS = 4

_SEANET: dict[str, Any] = {
    "dimension": 16,
    "channels": 1,
    "causal": "${encodec.causal}",
    "n_filters": 4,
    "n_residual_layers": 1,
    "ratios": [5, 4, 2],
    "activation": "ELU",
    "activation_params": {"alpha": 1.0},
    "norm": "weight_norm",
    "norm_params": {},
    "kernel_size": 7,
    "residual_kernel_size": 3,
    "last_kernel_size": 7,
    "dilation_base": 2,
    "pad_mode": "constant",
    "true_skip": True,
    "compress": 2,
    "lstm": 2,
    "disable_norm_outer_blocks": 0,
    "encoder": {},
    "decoder": {"trim_right_ratio": 1.0, "final_activation": None, "final_activation_params": None},
}


@dataclass(frozen=True)
class Reference:
    """A codec's checkpoint, and the same codec as an audiocraft model."""

    folder: Path
    model: Any

    def decode(self, codes: Tensor, stereo: bool = False) -> Tensor:
        """Audio [channels, samples] that audiocraft decodes from codes [codebooks, frames]."""
        model = InterleaveStereoCompressionModel(self.model) if stereo else self.model
        with torch.no_grad():
            audio: Tensor = model.decode(codes[None])[0]
        return audio


def configuration(**seanet: Any) -> DictConfig:
    """audiocraft's configuration of a small codec, with the given settings of its network."""
    channels = seanet.get("channels", 1)
    return OmegaConf.create(
        {
            "compression_model": "encodec",
            "sample_rate": 16_000,
            "channels": channels,
            "encodec": {
                "autoencoder": "seanet",
                "quantizer": "rvq",
                "sample_rate": "${sample_rate}",
                "channels": "${channels}",
                "causal": False,
                "renormalize": False,
            },
            "seanet": {**_SEANET, **seanet},
            "rvq": {"n_q": CODEBOOKS, "q_dropout": False, "bins": CODEBOOK_SIZE, "decay": 0.99, "kmeans_init": False},
            "device": "cpu",
        }
    )


def write_checkpoint(folder: Path, settings: DictConfig) -> Reference:
    """Build and save the codec that `settings` describe."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # audiocraft uses a deprecated weight norm of PyTorch.
        warnings.simplefilter("ignore", FutureWarning)
        torch.manual_seed(0)
        model = builders.get_compression_model(settings).eval()
        excite(model)
    save(folder, {"xp.cfg": OmegaConf.to_yaml(settings), "best_state": model.state_dict()})
    return Reference(folder, model)


def excite(model: nn.Module) -> None:
    """Scale the weights so that the audio is as loud as a trained codec's; untrained, it is almost silent."""
    for name, tensor in model.state_dict().items():
        if name.endswith(("weight_g", "original0")):
            tensor.mul_(1.8)
        elif name.endswith("embed"):
            tensor.normal_()


def save(folder: Path, package: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(package, folder / "compression_state_dict.bin")


def draw_codes(frames: int, codebooks: int = CODEBOOKS, seed: int = 0) -> Tensor:
    return torch.randint(0, CODEBOOK_SIZE, (codebooks, frames), generator=torch.Generator().manual_seed(seed))
