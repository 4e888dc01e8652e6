"""Cuts a prompt into T5's tokens exactly as transformers 5's `T5Tokenizer` does, without importing it."""

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

_UNKNOWN_ID = 2  # T5Tokenizer builds its model with this id whatever the file says.
# Beyond this, transformers looks for and repairs a mistake of Mistral's tokenizers.
_MAX_PIECES = 100_000


@dataclass(frozen=True, slots=True)
class UnigramVocabulary:
    """A unigram model.

    Attributes:
        pieces: with their log probabilities; a piece's place is its id.
        character_map: sentencepiece's compiled normalisation, None where text stays as it is.
        added_tokens: of tokenizer.json, as they stand there.
        controls: a sentencepiece model's control pieces.
    """

    pieces: list[tuple[str, float]]
    character_map: bytes | None
    added_tokens: list[dict[str, Any]]
    controls: list[str]


def read_tokenizer_json(file: Path) -> UnigramVocabulary:
    """The vocabulary in a tokenizer.json.

    Raises:
        UnsupportedTextEncoderError: if it is no unigram model.
        OSError: if it cannot be read.
    """
    try:
        content = json.loads(file.read_bytes())
        if content["model"].get("type", "Unigram") != "Unigram":
            raise UnsupportedTextEncoderError(f"{file} holds no unigram model but {content['model']['type']}.")
        pieces = [(str(piece), float(score)) for piece, score in content["model"]["vocab"]]
        return UnigramVocabulary(
            pieces, _character_map(content.get("normalizer")), content.get("added_tokens") or [], []
        )
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise UnsupportedTextEncoderError(f"{file} is no tokenizer of a known form: {error!r}") from error


def _character_map(normalizer: dict[str, Any] | None) -> bytes | None:
    steps = (normalizer or {}).get("normalizers", [normalizer] if normalizer else [])
    maps = (step["precompiled_charsmap"] for step in steps if step["type"] == "Precompiled")
    encoded = next(maps, None)
    return None if encoded is None else base64.b64decode(encoded)


def read_sentencepiece(file: Path, extra_ids: list[str]) -> UnigramVocabulary:
    """The vocabulary in a sentencepiece model, which T5's sentinels follow with the last number first.

    Raises:
        UnsupportedTextEncoderError: if it is no unigram model.
        OSError: if it cannot be read.
    """
    # Only old folders need it, and protobuf's classes take a while to import.
    protocol: Any = importlib.import_module("sentencepiece.sentencepiece_model_pb2")
    model = protocol.ModelProto()
    try:
        model.ParseFromString(file.read_bytes())
    except importlib.import_module("google.protobuf.message").DecodeError as error:
        raise UnsupportedTextEncoderError(f"{file} is no sentencepiece model: {error}") from error
    if model.trainer_spec.model_type != _UNIGRAM or not model.pieces:
        raise UnsupportedTextEncoderError(f"{file} holds no unigram model.")
    pieces = [(piece.piece, piece.score) for piece in model.pieces]
    pieces += [(token, 0.0) for token in reversed(extra_ids)]
    if any(piece.type == _USER_DEFINED for piece in model.pieces):
        raise UnsupportedTextEncoderError(f"{file} has user defined pieces.")
    controls = [piece.piece for piece in model.pieces if piece.type == _CONTROL]
    return UnigramVocabulary(pieces, model.normalizer_spec.precompiled_charsmap or None, [], controls)


class TextTokenizer:
    """Safe to use from several threads at once."""

    def __init__(self, vocabulary: UnigramVocabulary, special: SpecialTokens) -> None:
        """Build it as `T5Tokenizer.__init__` does.

        Raises:
            UnsupportedTextEncoderError: if the library takes no such vocabulary.
        """
        if not _UNKNOWN_ID < len(vocabulary.pieces) <= _MAX_PIECES:
            raise UnsupportedTextEncoderError(f"A tokenizer of {len(vocabulary.pieces)} pieces is none of T5's.")
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
        """The token ids of `text`, the end of sequence last; for an empty text only that one.

        Raises:
            ValueError: if `text` has half of a surrogate pair, which no UTF-8 can hold.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError("The prompt is no valid Unicode: it has half of a surrogate pair.") from error
        return [*self._tokenizer.encode(text, add_special_tokens=False).ids, self._end]


def load_tokenizer(folder: Path) -> TextTokenizer:
    """The tokenizer in `folder`: from tokenizer.json, or from spiece.model where that is all there is.

    Raises:
        UnsupportedTextEncoderError: if there is none, or it asks for what this code does not know.
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
