"""transformers' MusicGen with random weights, of any checkpoint's size."""

from typing import Any

import torch
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    T5Config,
)

from worker.engine.batching.config import LanguageModelConfig


def make_model(config: LanguageModelConfig, device: str) -> Any:
    """The language model of `config`, EnCodec for 32 kHz, and a small text encoder."""
    decoder = MusicgenDecoderConfig(
        vocab_size=config.codebook_size, num_hidden_layers=config.layers, ffn_dim=config.hidden,
        num_attention_heads=config.heads, hidden_size=config.dim, num_codebooks=config.codebooks,
        pad_token_id=config.codebook_size, bos_token_id=config.codebook_size,
    )  # fmt: skip
    codec = EncodecConfig(
        sampling_rate=32_000, target_bandwidths=[2.2], num_filters=64, upsampling_ratios=[8, 5, 4, 4],
        use_causal_conv=False, use_conv_shortcut=False, codebook_size=config.codebook_size, num_lstm_layers=2,
    )  # fmt: skip
    text = T5Config(vocab_size=100, d_model=32, d_kv=8, d_ff=64, num_layers=1, num_heads=4)
    model = MusicgenForConditionalGeneration(MusicgenConfig(text_encoder=text, audio_encoder=codec, decoder=decoder))
    return model.eval().to(device, torch.float32 if device == "cpu" else torch.float16)
