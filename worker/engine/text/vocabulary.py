"""The pieces that a T5 tokenizer cuts text into, read from tokenizer.json or from a sentencepiece model.

Formats: tokenizers' serialisation (`added_tokens`, `normalizer`, `model`), and sentencepiece_model.proto. As in
transformers 5's `TokenizersBackend.convert_to_native_format`, only the vocabulary and the character map of either are
used: `T5Tokenizer` builds everything else anew.
"""

import base64
import binascii
import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.engine.text.errors import UnsupportedTextEncoderError

TOKENIZER_FILE = "tokenizer.json"
SENTENCEPIECE_FILE = "spiece.model"

# ModelProto.SentencePiece.Type and TrainerSpec.ModelType in sentencepiece_model.proto.
_CONTROL, _USER_DEFINED = 3, 4
_UNIGRAM = 1


@dataclass(frozen=True, slots=True)
class Vocabulary:
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


def read_tokenizer_json(file: Path) -> Vocabulary:
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
        return Vocabulary(pieces, _character_map(content.get("normalizer")), content.get("added_tokens") or [], [])
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise UnsupportedTextEncoderError(f"{file} is no tokenizer of a known form: {error!r}") from error


def _character_map(normalizer: dict[str, Any] | None) -> bytes | None:
    steps = (normalizer or {}).get("normalizers", [normalizer] if normalizer else [])
    maps = (step["precompiled_charsmap"] for step in steps if step["type"] == "Precompiled")
    encoded = next(maps, None)
    return None if encoded is None else base64.b64decode(encoded)


def read_sentencepiece(file: Path, extra_ids: list[str]) -> Vocabulary:
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
    return Vocabulary(pieces, model.normalizer_spec.precompiled_charsmap or None, [], controls)
