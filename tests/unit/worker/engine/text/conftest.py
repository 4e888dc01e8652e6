"""Small text encoders in the file formats in use, written by transformers and sentencepiece."""

import io
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from bench.tiny import write_text_encoder

SENTENCES = [
    "an upbeat techno track with a deep bass and bright synthesizers",
    "a slow blues in the style of the nineteen sixties, featuring guitar and harmonica",
    "calm piano music at 60 BPM for a rainy evening; no drums!",
    "Cinematic strings, 120 bpm, epic and hopeful mood?",
    "drum & bass (fast) / jungle: 'amen' break \"chopped\"",
]


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one of `bench.tiny`: tokenizer.json without a character map or sentinels."""
    folder = tmp_path_factory.mktemp("starter")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        write_text_encoder(folder)
    return folder


@pytest.fixture(scope="session")
def bare_sentencepiece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only spiece.model, trained with T5's options: normalisation nmt_nfkc, and ids pad 0, eos 1, unk 2."""
    folder = tmp_path_factory.mktemp("sentencepiece")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 20),
        model_writer=model,
        model_type="unigram",
        vocab_size=80,
        character_coverage=1.0,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    (folder / "spiece.model").write_bytes(model.getvalue())
    return folder


@pytest.fixture(scope="session")
def with_sentinels(bare_sentencepiece: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Like t5-base on the hub: tokenizer.json with a character map and 100 sentinels."""
    folder = tmp_path_factory.mktemp("sentinels")
    T5Tokenizer.from_pretrained(bare_sentencepiece).save_pretrained(folder)
    return folder


def write_t5(folder: Path, **fields: Any) -> T5EncoderModel:
    """Save a small T5 to `folder`; all weights are random, including norms and position bias."""
    sizes = {"vocab_size": 50, "d_model": 24, "d_kv": 6, "d_ff": 40, "num_layers": 3, "num_heads": 4}
    torch.manual_seed(2)
    model = T5EncoderModel(T5Config(**{**sizes, **fields})).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name or "bias" in name:
                parameter.normal_(1.0, 0.5)
    model.save_pretrained(folder)
    return model
