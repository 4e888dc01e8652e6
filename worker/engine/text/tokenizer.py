"""Cuts a prompt into T5's tokens exactly as transformers 5's `T5Tokenizer` does, without importing it."""

from pathlib import Path

from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import Unigram

from worker.engine.text.errors import UnsupportedTextEncoderError
from worker.engine.text.special_tokens import (
    SpecialTokens,
    extra_ids,
    read_configuration,
    read_special_tokens,
)
from worker.engine.text.vocabulary import (
    SENTENCEPIECE_FILE,
    TOKENIZER_FILE,
    Vocabulary,
    read_sentencepiece,
    read_tokenizer_json,
)

_UNKNOWN_ID = 2  # T5Tokenizer builds its model with this id whatever the file says.
# Beyond this, transformers looks for and repairs a mistake of Mistral's tokenizers.
_MAX_PIECES = 100_000


class TextTokenizer:
    """Safe to use from several threads at once."""

    def __init__(self, vocabulary: Vocabulary, special: SpecialTokens) -> None:
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
    configuration = read_configuration(folder)
    if (folder / TOKENIZER_FILE).is_file():
        vocabulary = read_tokenizer_json(folder / TOKENIZER_FILE)
    elif (folder / SENTENCEPIECE_FILE).is_file():
        vocabulary = read_sentencepiece(folder / SENTENCEPIECE_FILE, extra_ids(configuration))
    else:
        raise UnsupportedTextEncoderError(f"{folder} has neither {TOKENIZER_FILE} nor {SENTENCEPIECE_FILE}.")
    special = read_special_tokens(folder, configuration, vocabulary.added_tokens, vocabulary.controls)
    return TextTokenizer(vocabulary, special)
