"""The starter's text encoder: a small T5 and a tokenizer of its own, made from the captions."""

import json
import string
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from transformers import T5Config, T5EncoderModel, T5Tokenizer

# A word that occurs so often in the captions is a piece of its own, in each spelling; others are put together.
FREQUENT = 8
NUMBERS = range(0, 301)


def make_tokenizer(captions: Iterable[str]) -> T5Tokenizer:
    """A unigram tokenizer whose pieces are the captions' words, all numbers that may be a tempo, and single characters.

    Captions that are written otherwise fall apart into characters; nothing becomes unknown but what no keyboard has.
    """
    counts = Counter(word for caption in captions for word in _words(caption))
    words = {word for word, count in counts.items() if count >= FREQUENT}
    words |= {str(number) for number in NUMBERS}
    inner = {word for word in words if word.isalnum()}
    characters = string.ascii_letters + string.digits + string.punctuation + "▁♯♭"
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(f"▁{word}", -4.0) for word in sorted(words)]
    # Within a word a piece costs more than at its beginning, and characters cost most: "120bpm" is 120 and bpm.
    pieces += [(word, -6.0) for word in sorted(inner) if len(word) > 1]
    pieces += [(character, -10.0) for character in characters]
    return T5Tokenizer(vocab=pieces, extra_ids=0)


def _words(caption: str) -> list[str]:
    return caption.replace(",", " ").replace(".", " ").split()


def make_encoder(vocabulary: int, dim: int = 128, layers: int = 2) -> T5EncoderModel:
    """Random weights; trained together with the language model."""
    return T5EncoderModel(
        T5Config(
            vocab_size=vocabulary, d_model=dim, d_kv=32, d_ff=4 * dim, num_layers=layers, num_heads=4,
            feed_forward_proj="relu", dropout_rate=0.0,
        )
    )  # fmt: skip


def save(folder: Path, tokenizer: T5Tokenizer, encoder: T5EncoderModel) -> None:
    """Write both in the hub's format, the tokenizer without the spaces that make two thirds of its file."""
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer.json"
    file.write_text(json.dumps(json.loads(file.read_text()), separators=(",", ":"), ensure_ascii=False))
    encoder.half().save_pretrained(folder)
