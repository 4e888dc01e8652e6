"""The starter's text encoder: a small T5 and a tokenizer of its own, made from the captions."""

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

# A word that occurs so often in the captions is a piece of its own; others are put together.
FREQUENT = 8
NUMBERS = range(0, 301)
# The place of <unk> in the vocabulary.
UNKNOWN = 2
# Of the waves that numbers are made of, in beats a minute: neighbours differ in the shortest, all share the longest.
SHORTEST, LONGEST = 3.0, 10_000.0
# The matrices that add to what the layers before them made, and what their weights begin with against T5's own.
LAST_OF_A_LAYER = (".o.weight", ".wo.weight")
SOFTER = 0.1


def make_tokenizer(captions: Iterable[str]) -> T5Tokenizer:
    """A unigram tokenizer whose pieces are the captions' words, all numbers that may be a tempo, and single characters.

    Words are pieces in lower case, in upper case and with a capital; see `lower_case`. Captions that are written
    otherwise fall apart into characters; nothing becomes unknown but what no keyboard has.
    """
    counts = Counter(word.lower() for caption in captions for word in _words(caption))
    frequent = {word for word, count in counts.items() if count >= FREQUENT}
    words = {spelt for word in frequent for spelt in (word, word.upper(), word.capitalize())}
    words |= {str(number) for number in NUMBERS}
    inner = {word for word in words if word.isalnum()}
    characters = string.ascii_letters + string.digits + string.punctuation + "▁♯♭–—‘’“”…"
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(f"▁{word}", -4.0) for word in sorted(words)]
    # Within a word a piece costs more than at its beginning, and characters cost most: "120bpm" is 120 and bpm.
    pieces += [(word, -6.0) for word in sorted(inner) if len(word) > 1]
    pieces += [(character, -10.0) for character in characters]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def lower_case(tokenizer: T5Tokenizer) -> Tensor:
    """For each token the one that says the same in lower case: int64 of shape [vocabulary].

    Nobody means anything by capitals, and a model that is told so has each word to learn once.
    """
    tokens = tokenizer.get_vocab()
    pieces = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    return torch.tensor([tokens.get(piece.lower(), token) for token, piece in enumerate(pieces)])


def strange_words(tokenizer: T5Tokenizer, count: int, rng: np.random.Generator) -> list[list[int]]:
    """Tokens of words that nobody knows: the beginning of a known one, and the end of another."""
    known = {piece.removeprefix("▁") for piece in tokenizer.get_vocab() if piece.startswith("▁")}
    long = sorted(word for word in known if len(word) >= 5 and word.isalpha() and word.islower())
    pairs = rng.choice(long, (count, 2))
    made = {str(first)[: len(first) // 2] + str(second)[len(second) // 2 :] for first, second in pairs}
    return [tokens[:-1] for tokens in tokenizer(sorted(made - known)).input_ids]


def _words(caption: str) -> list[str]:
    return caption.replace(",", " ").replace(".", " ").split()


def make_encoder(tokenizer: T5Tokenizer, dim: int = 128, layers: int = 2) -> T5EncoderModel:
    """Trained together with the language model; what it begins with makes captions be heard early.

    Layers add little to the words at first: at full loudness all tokens drown in what they have in common before the
    language model knows what to listen for. And numbers are alike: one is found as quickly as another, and those close
    to each other, as tempos are, are close.
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
    """Cosines and sines of many periods, with a power of one a component: [dim]."""
    phase = value * 2 * math.pi / torch.logspace(math.log10(SHORTEST), math.log10(LONGEST), dim // 2)
    return math.sqrt(2) * torch.cat([phase.cos(), phase.sin()])


def silence_unused(encoder: T5EncoderModel, used: Collection[int]) -> None:
    """Make the pieces that no caption has say nothing: they are never learnt, and would stay what chance made them."""
    unused = [token for token in range(encoder.config.vocab_size) if token not in used]
    with torch.no_grad():
        encoder.shared.weight[unused] = 0


def save(folder: Path, tokenizer: T5Tokenizer, encoder: T5EncoderModel) -> None:
    """Write both in the hub's format, the tokenizer without the spaces that make two thirds of its file."""
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()), separators=(",", ":"), ensure_ascii=False))
    encoder.half().save_pretrained(folder)
