"""Writes the starter's checkpoint: MusicGen's on-disk format, with the sampler as its codec.

python -m training.export --run FOLDER --out worker/engine/starter_model
"""

import argparse
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor
from transformers import T5Tokenizer

from training.model import Shape, StarterModel
from training.text_encoder import lower_case, make_encoder, save
from worker.engine.checksums import CHECKSUMS_FILE, write_checksums
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import FASTEST, LEVEL, STEPS_PER_BEAT

TEXT_ENCODER = "t5"
# audiocraft's name of the projection of the text encoder's output.
CONDITION = "condition_provider.conditioners.description.output_proj"
# The temperatures for a request's temperature of 1. A small model's unlikely codes are mostly mistakes; those of
# the conductor contradict the caption.
TEMPERATURE, CONDUCTOR_TEMPERATURE = 0.6, 0.2
# Maximum frames per second: sixteenth notes at the fastest tempo.
FRAME_RATE = FASTEST * STEPS_PER_BEAT / 60
# Marks the codec as a sampler, where MusicGen's checkpoints have EnCodec.
CODEC_CONFIG = {"compression_model": "sampler"}


def language_model_config(shape: Shape) -> dict[str, Any]:
    """`xp.cfg` as audiocraft's `builders.get_lm_model` reads it."""
    return {
        "lm_model": "transformer_lm",
        "dataset": {"segment_duration": shape.segment / FRAME_RATE},
        "transformer_lm": {
            "dim": shape.dim, "num_heads": shape.heads, "num_layers": shape.layers, "hidden_scale": 4,
            "n_q": shape.codebooks, "card": shape.card, "dropout": 0.0, "activation": "gelu", "norm_first": True,
            "bias_ff": False, "bias_attn": False, "bias_proj": False, "causal": True, "custom": False,
            "memory_efficient": True, "attention_as_float32": False, "positional_embedding": "sin",
            "weight_init": "gaussian", "depthwise_init": "current", "zero_bias_init": True, "norm": "layer_norm",
        },
        "codebooks_pattern": {"modeling": "delay", "delay": {"delays": list(range(shape.codebooks))}},
        "conditioners": {
            "description": {
                "model": "t5",
                "t5": {"name": TEXT_ENCODER, "finetune": False, "word_dropout": 0.0, "normalize_text": False},
            }
        },
        "fuser": {"sum": [], "prepend": [], "cross": ["description"], "input_interpolate": []},
        "classifier_free_guidance": {"training_dropout": 0.15, "inference_coef": 3.0},
        "attribute_dropout": {},
        "device": "cpu",
        "dtype": "float32",
    }  # fmt: skip


def language_model_weights(
    model: StarterModel, temperature: float = 1.0, conductor_temperature: float = 1.0
) -> dict[str, Tensor]:
    """The model's weights under audiocraft's names, in float16 to save space; engines choose their own precision.

    Args:
        model: the trained model.
        temperature: the temperature for a request's temperature of 1, folded into the weights of the heads.
        conductor_temperature: the same for the conductor's head.
    """
    state = {name: value.half() for name, value in model.state_dict().items()}
    for stream in Stream:
        own = conductor_temperature if stream is Stream.CONDUCTOR else temperature
        state[f"linears.{stream}.weight"] /= own
    for name in ("weight", "bias"):
        projection = state.pop(f"output_proj.{name}")
        state[f"{CONDITION}.{name}"] = projection
    return state


def export(run: Path, out: Path, temperature: float, conductor_temperature: float, level: int = LEVEL) -> None:
    """Write the checkpoint's folder. `level` is that of the scores that the model was trained on."""
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    shape = Shape(**state["shape"])
    model = StarterModel(shape)
    model.load_state_dict(state["model"])
    tokenizer = T5Tokenizer.from_pretrained(run / "tokenizer")
    encoder = make_encoder(tokenizer, shape.text_dim)
    encoder.load_state_dict(state["encoder"])
    with torch.no_grad():
        encoder.shared.weight[:] = encoder.shared.weight[lower_case(tokenizer)]
    out.mkdir(parents=True, exist_ok=True)
    save(out / TEXT_ENCODER, tokenizer, encoder)
    configuration = OmegaConf.to_yaml(OmegaConf.create(language_model_config(shape)))
    weights = language_model_weights(model, temperature, conductor_temperature)
    torch.save({"xp.cfg": configuration, "best_state": weights}, out / "state_dict.bin")
    torch.save(
        {"xp.cfg": OmegaConf.to_yaml({**CODEC_CONFIG, "score_level": level}), "best_state": {}},
        out / "compression_state_dict.bin",
    )
    write_checksums(out, [file for file in out.rglob("*") if file.is_file() and file.name != CHECKSUMS_FILE])


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write the starter's checkpoint.")
    for name in ("run", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--temperature", type=float, default=TEMPERATURE, help="for a request's temperature of 1")
    parser.add_argument("--conductor-temperature", type=float, default=CONDUCTOR_TEMPERATURE, help="of its head")
    parser.add_argument("--level", type=int, choices=range(1, LEVEL + 1), default=LEVEL, help="of the training data")
    options = parser.parse_args(arguments)
    export(options.run, options.out, options.temperature, options.conductor_temperature, options.level)
    size = sum(file.stat().st_size for file in options.out.rglob("*") if file.is_file())
    print(f"{options.out}: {size / 2**20:.1f} MB")


if __name__ == "__main__":
    main()
