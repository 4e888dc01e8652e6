"""Writes a MusicGen checkpoint of 2 MB in Meta's on-disk format, with EnCodec and seeded random weights.

For tests, and for benchmarks where the sound does not matter. `python -m bench.tiny FOLDER` writes one.
"""

import string
import sys
from pathlib import Path
from typing import Any

import torch
from audiocraft.models import builders
from omegaconf import DictConfig, OmegaConf
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from gateway.prompts import VOCABULARY
from worker.engine.audiocraft_checkpoint import register_text_encoder

SEED = 20240101
TEXT_ENCODER = "t5"

SAMPLE_RATE = 32_000
CODEBOOKS = 4
CARD = 256
DIMENSION = 64

COMPRESSION: dict[str, Any] = {
    "compression_model": "encodec",
    "sample_rate": SAMPLE_RATE,
    "channels": 1,
    "encodec": {
        "autoencoder": "seanet",
        "quantizer": "rvq",
        "sample_rate": SAMPLE_RATE,
        "channels": 1,
        "causal": False,
        "renormalize": False,
    },
    "seanet": {
        "dimension": 32,
        "channels": 1,
        "causal": False,
        "n_filters": 4,
        "n_residual_layers": 1,
        "ratios": [8, 5, 4, 4],  # 640 samples a frame: 50 frames a second
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
        "lstm": 1,
        "disable_norm_outer_blocks": 0,
        "encoder": {},
        "decoder": {"trim_right_ratio": 1.0, "final_activation": None, "final_activation_params": None},
    },
    "rvq": {"n_q": CODEBOOKS, "q_dropout": False, "bins": CARD, "decay": 0.99, "kmeans_init": False},
}

LANGUAGE_MODEL: dict[str, Any] = {
    "lm_model": "transformer_lm",
    "dataset": {"segment_duration": 30},
    "transformer_lm": {
        "dim": DIMENSION,
        "num_heads": 4,
        "num_layers": 2,
        "hidden_scale": 4,
        "n_q": CODEBOOKS,
        "card": CARD,
        "dropout": 0.0,
        "activation": "gelu",
        "norm_first": True,
        "bias_ff": False,
        "bias_attn": False,
        "bias_proj": False,
        "causal": True,
        "custom": False,
        "memory_efficient": True,
        "attention_as_float32": False,
        "positional_embedding": "sin",
        "weight_init": "gaussian",
        "depthwise_init": "current",
        "zero_bias_init": True,
        "norm": "layer_norm",
    },
    "codebooks_pattern": {"modeling": "delay", "delay": {"delays": list(range(CODEBOOKS))}},
    "conditioners": {
        "description": {
            "model": "t5",
            "t5": {"name": TEXT_ENCODER, "finetune": False, "word_dropout": 0.0, "normalize_text": False},
        }
    },
    "fuser": {"sum": [], "prepend": [], "cross": ["description"], "input_interpolate": []},
    "classifier_free_guidance": {"training_dropout": 0.3, "inference_coef": 3.0},
    "attribute_dropout": {},
}


def write_tiny(folder: Path) -> None:
    """Write the checkpoint into `folder`.

    Raises:
        OSError: if it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        write_text_encoder(folder / TEXT_ENCODER)
        _write_models(folder)


def _write_models(folder: Path) -> None:
    compression = _configuration(COMPRESSION)
    _save(folder / "compression_state_dict.bin", compression, builders.get_compression_model(compression))
    portable = _configuration(LANGUAGE_MODEL)
    resolved = _configuration(LANGUAGE_MODEL)
    register_text_encoder(resolved, folder)
    _save(folder / "state_dict.bin", portable, builders.get_lm_model(resolved))


def _configuration(values: dict[str, Any]) -> DictConfig:
    return OmegaConf.create({**values, "device": "cpu", "dtype": "float32"})


def _save(file: Path, configuration: DictConfig, model: torch.nn.Module) -> None:
    torch.save({"xp.cfg": OmegaConf.to_yaml(configuration), "best_state": model.state_dict()}, file)


def write_text_encoder(folder: Path) -> None:
    """Write a one-layer T5, and a tokenizer with the prompt builder's words, in the Hugging Face format."""
    vocabulary = _pieces()
    T5Tokenizer(vocab=vocabulary, extra_ids=0).save_pretrained(folder)
    configuration = T5Config(
        vocab_size=len(vocabulary), d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4, feed_forward_proj="relu"
    )
    T5EncoderModel(configuration).save_pretrained(folder)


def _pieces() -> list[tuple[str, float]]:
    """A unigram vocabulary: the prompt builder's words, and single characters."""
    names = [genre.name for genre in VOCABULARY.genres] + [tempo.name for tempo in VOCABULARY.tempos]
    words = {word for name in (*names, *VOCABULARY.moods, *VOCABULARY.instruments) for word in name.split()}
    words |= {"music", "tempo", "mood", "featuring", "and", "with", "at", "BPM", "in", "the", "style", "of", "upbeat"}
    characters = string.ascii_letters + string.digits + string.punctuation + "▁"
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    return [*special, *((f"▁{word}", -5.0) for word in sorted(words)), *((each, -10.0) for each in characters)]


if __name__ == "__main__":
    write_tiny(Path(sys.argv[1]))
