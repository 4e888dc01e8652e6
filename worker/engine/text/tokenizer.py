"""Tokenize prompts exactly like transformers 5's `T5Tokenizer`, without importing it.

The vocabulary comes from tokenizer.json (tokenizers' format) or from a sentencepiece model (sentencepiece_model.proto).
As in transformers' `TokenizersBackend.convert_to_native_format`, only a file's vocabulary and character map are used:
`T5Tokenizer` sets everything else itself.
"""

import base64
import binascii
import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import Unigram

from worker.engine.text.configuration import UnsupportedTextEncoderError
from worker.engine.text.special_tokens import (
    SpecialTokens,
    extra_ids,
    read_special_tokens,
    read_tokenizer_config,
)

TOKENIZER_FILE = "tokenizer.json"
SENTENCEPIECE_FILE = "spiece.model"

# ModelProto.SentencePiece.Type and TrainerSpec.ModelType in sentencepiece_model.proto.
_CONTROL, _USER_DEFINED = 3, 4
_UNIGRAM = 1

_UNKNOWN_ID = 2  # T5Tokenizer always uses this id and ignores the file's.
# For larger vocabularies, transformers checks for and repairs a mistake of Mistral's tokenizers.
_MAX_PIECES = 100_000


@dataclass(frozen=True, slots=True)
class UnigramVocabulary:
    """The vocabulary of a unigram model.

    Attributes:
        pieces: pieces with their log probabilities, in the order of their ids.
        character_map: sentencepiece's compiled normalisation; None for no normalisation.
        added_tokens: the `added_tokens` of tokenizer.json.
        controls: control pieces of a sentencepiece model.
    """

    pieces: list[tuple[str, float]]
    character_map: bytes | None
    added_tokens: list[dict[str, Any]]
    controls: list[str]


def read_tokenizer_json(file: Path) -> UnigramVocabulary:
    """Read the vocabulary of a tokenizer.json.

    Raises:
        UnsupportedTextEncoderError: if it is not a unigram model.
        OSError: if it cannot be read.
    """
    try:
        content = json.loads(file.read_bytes())
        if content["model"].get("type", "Unigram") != "Unigram":
            raise UnsupportedTextEncoderError(f"{file} holds a model of type {content['model']['type']}, not Unigram.")
        pieces = [(str(piece), float(score)) for piece, score in content["model"]["vocab"]]
        return UnigramVocabulary(
            pieces, _character_map(content.get("normalizer")), content.get("added_tokens") or [], []
        )
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise UnsupportedTextEncoderError(f"{file} is not a tokenizer of a known form: {error!r}") from error


def _character_map(normalizer: dict[str, Any] | None) -> bytes | None:
    steps = (normalizer or {}).get("normalizers", [normalizer] if normalizer else [])
    maps = (step["precompiled_charsmap"] for step in steps if step["type"] == "Precompiled")
    encoded = next(maps, None)
    return None if encoded is None else base64.b64decode(encoded)


def read_sentencepiece(file: Path, extra_ids: list[str]) -> UnigramVocabulary:
    """Read the vocabulary of a sentencepiece model and append T5's sentinels in descending order.

    Raises:
        UnsupportedTextEncoderError: if it is not a unigram model.
        OSError: if it cannot be read.
    """
    # Only old checkpoints need it, and protobuf is slow to import.
    protocol: Any = importlib.import_module("sentencepiece.sentencepiece_model_pb2")
    model = protocol.ModelProto()
    try:
        model.ParseFromString(file.read_bytes())
    except importlib.import_module("google.protobuf.message").DecodeError as error:
        raise UnsupportedTextEncoderError(f"{file} is not a sentencepiece model: {error}") from error
    if model.trainer_spec.model_type != _UNIGRAM or not model.pieces:
        raise UnsupportedTextEncoderError(f"{file} holds no unigram model.")
    pieces = [(piece.piece, piece.score) for piece in model.pieces]
    pieces += [(token, 0.0) for token in reversed(extra_ids)]
    if any(piece.type == _USER_DEFINED for piece in model.pieces):
        raise UnsupportedTextEncoderError(f"{file} has user-defined pieces, which are not supported.")
    controls = [piece.piece for piece in model.pieces if piece.type == _CONTROL]
    return UnigramVocabulary(pieces, model.normalizer_spec.precompiled_charsmap or None, [], controls)


class TextTokenizer:
    """A T5 tokenizer. Thread-safe."""

    def __init__(self, vocabulary: UnigramVocabulary, special: SpecialTokens) -> None:
        """Build the tokenizer like `T5Tokenizer.__init__`.

        Raises:
            UnsupportedTextEncoderError: if the vocabulary is too small or too large, or lacks the end token.
        """
        if not _UNKNOWN_ID < len(vocabulary.pieces) <= _MAX_PIECES:
            raise UnsupportedTextEncoderError(f"A tokenizer of {len(vocabulary.pieces)} pieces is not T5's.")
        self._tokenizer = Tokenizer(Unigram(vocabulary.pieces, unk_id=_UNKNOWN_ID, byte_fallback=False))
        if vocabulary.character_map is not None:
            self._tokenizer.normalizer = normalizers.Precompiled(vocabulary.character_map)
        words = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
        self._tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), words])
        self._tokenizer.add_tokens(special.added)
        end = self._tokenizer.token_to_id(special.end)
        if end is None:
            raise UnsupportedTextEncoderError(f"The tokenizer has no {special.end}.")
        self._end = end

    def encode(self, text: str) -> list[int]:
        """The token ids of `text`, followed by the end of sequence.

        Raises:
            ValueError: if `text` has half of a surrogate pair, which UTF-8 cannot encode.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError("The prompt is not valid Unicode: it has half of a surrogate pair.") from error
        return [*self._tokenizer.encode(text, add_special_tokens=False).ids, self._end]


def load_tokenizer(folder: Path) -> TextTokenizer:
    """Load the tokenizer in `folder` from tokenizer.json, or else from spiece.model.

    Raises:
        UnsupportedTextEncoderError: if there is none, or it needs a feature that this code does not support.
        OSError: if a file cannot be read.
    """
    configuration = read_tokenizer_config(folder)
    if (folder / TOKENIZER_FILE).is_file():
        vocabulary = read_tokenizer_json(folder / TOKENIZER_FILE)
    elif (folder / SENTENCEPIECE_FILE).is_file():
        vocabulary = read_sentencepiece(folder / SENTENCEPIECE_FILE, extra_ids(configuration))
    else:
        raise UnsupportedTextEncoderError(f"{folder} has neither {TOKENIZER_FILE} nor {SENTENCEPIECE_FILE}.")
    special = read_special_tokens(folder, configuration, vocabulary.added_tokens, vocabulary.controls)
    return TextTokenizer(vocabulary, special)
