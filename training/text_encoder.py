"""The starter's text encoder: a small T5, and a tokenizer made from the captions."""

import json
import math
import string
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import T5Config, T5EncoderModel, T5Tokenizer

# A word that occurs this often in the captions is one token; rarer words are split into several.
FREQUENT = 8
NUMBERS = range(0, 301)
# The index of <unk> in the vocabulary.
UNKNOWN = 2
# Periods of the waves that encode numbers, in BPM: the shortest separates neighbours, the longest joins all numbers.
SHORTEST, LONGEST = 3.0, 10_000.0
# The matrices that add to the residual, and the factor on their initial weights.
LAST_OF_A_LAYER = (".o.weight", ".wo.weight")
SOFTER = 0.1


def make_tokenizer(captions: Iterable[str]) -> T5Tokenizer:
    """A unigram tokenizer of the captions' words, all numbers that may be a tempo, and single characters.

    Words have tokens in lower case, in upper case and capitalised; see `lower_case`. Other text is split into
    characters; only characters that no keyboard has are unknown.
    """
    counts = Counter(word.lower() for caption in captions for word in _words(caption))
    frequent = {word for word, count in counts.items() if count >= FREQUENT}
    words = {spelt for word in frequent for spelt in (word, word.upper(), word.capitalize())}
    words |= {str(number) for number in NUMBERS}
    inner = {word for word in words if word.isalnum()}
    characters = string.ascii_letters + string.digits + string.punctuation + "▁♯♭–—‘’“”…"
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(f"▁{word}", -4.0) for word in sorted(words)]
    # Inner tokens cost more than those at a word's beginning, and characters cost most: "120bpm" is 120 and bpm.
    pieces += [(word, -6.0) for word in sorted(inner) if len(word) > 1]
    pieces += [(character, -10.0) for character in characters]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def lower_case(tokenizer: T5Tokenizer) -> Tensor:
    """The lower-case token for each token: int64 of shape [vocabulary].

    Capitals carry no meaning, so the model has each word to learn only once.
    """
    tokens = tokenizer.get_vocab()
    pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    return torch.tensor([tokens.get(piece.lower(), token) for token, piece in enumerate(pieces)])


def strange_words(tokenizer: T5Tokenizer, count: int, rng: np.random.Generator) -> list[list[int]]:
    """Tokens of invented words, each joined from the beginning of one known word and the end of another."""
    known = {piece.removeprefix("▁") for piece in tokenizer.get_vocab() if piece.startswith("▁")}
    long = sorted(word for word in known if len(word) >= 5 and word.isalpha() and word.islower())
    pairs = rng.choice(long, (count, 2))
    made = {str(first)[: len(first) // 2] + str(second)[len(second) // 2 :] for first, second in pairs}
    return [tokens[:-1] for tokens in tokenizer(sorted(made - known)).input_ids]


def _words(caption: str) -> list[str]:
    return caption.replace(",", " ").replace(".", " ").split()


def make_encoder(tokenizer: T5Tokenizer, dim: int = 128, layers: int = 2) -> T5EncoderModel:
    """The untrained text encoder, which is trained together with the language model.

    Its initial weights make captions useful early. The layers add little to the embeddings at first, since otherwise
    all tokens become too similar before the language model can use them. Numbers start as waves, so that close tempos
    have close embeddings.
    """
    encoder = T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer), d_model=dim, d_kv=32, d_ff=4 * dim, num_layers=layers, num_heads=4,
            feed_forward_proj="relu", dropout_rate=0.0,
        )
    )  # fmt: skip
    with torch.no_grad():
        for name, weight in encoder.named_parameters():
            if name.endswith(LAST_OF_A_LAYER):
                weight *= SOFTER
        for token, word in enumerate(tokenizer.convert_ids_to_tokens(range(len(tokenizer)))):
            if (digits := word.removeprefix("▁")).isdigit():
                encoder.shared.weight[token] = _number(int(digits), dim)
    return encoder


def _number(value: int, dim: int) -> Tensor:
    """Cosines and sines of many periods, with unit power per component: [dim]."""
    phase = value * 2 * math.pi / torch.logspace(math.log10(SHORTEST), math.log10(LONGEST), dim // 2)
    return math.sqrt(2) * torch.cat([phase.cos(), phase.sin()])


def silence_unused(encoder: T5EncoderModel, used: Collection[int]) -> None:
    """Zero the embeddings of tokens that no caption has, since training would leave them at their random values."""
    unused = [token for token in range(encoder.config.vocab_size) if token not in used]
    with torch.no_grad():
        encoder.shared.weight[unused] = 0


def save(folder: Path, tokenizer: T5Tokenizer, encoder: T5EncoderModel) -> None:
    """Write both in the Hugging Face format, the tokenizer without the whitespace that is two thirds of its file."""
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()), separators=(",", ":"), ensure_ascii=False))
    encoder.half().save_pretrained(folder)
