"""MusicGen's text encoder: tokenizer, T5, and the projection to the language model's dimension.

It equals audiocraft's `T5Conditioner` for a batch of one (audiocraft/modules/conditioners.py), in float32.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from worker.engine.text.configuration import UnsupportedTextEncoderError, read_configuration
from worker.engine.text.special_tokens import CONFIGURATION_FILE, LEGACY_FILE
from worker.engine.text.t5 import T5Encoder
from worker.engine.text.tokenizer import SENTENCEPIECE_FILE, TOKENIZER_FILE, TextTokenizer, load_tokenizer
from worker.engine.text.weights import PICKLE_FILE, SAFETENSORS_FILE, EncoderWeights, read_weights

MAX_TOKENS = 512

CACHE_ENTRIES = 256
# Prompts have about 40 tokens. With the largest model (2048 numbers per token) this limits the cache to 128 MB, while
# 256 prompts of the maximum length would take a gigabyte.
CACHE_TOKENS = 16_384

_SMALL_FILES = ["config.json", TOKENIZER_FILE, CONFIGURATION_FILE, LEGACY_FILE, "added_tokens.json"]


class EmbeddingCache:
    """An LRU cache of embeddings, bounded by entries and by tokens. Thread-safe."""

    def __init__(self, max_entries: int = CACHE_ENTRIES, max_tokens: int = CACHE_TOKENS) -> None:
        self._max_entries = max_entries
        self._max_tokens = max_tokens
        self._tokens = 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, text: str) -> Tensor | None:
        """The vectors [tokens, dim] of `text`, or None."""
        with self._lock:
            if text in self._entries:
                self._entries.move_to_end(text)
            return self._entries.get(text)

    def put(self, text: str, embedding: Tensor) -> None:
        """Store the vectors [tokens, dim] of `text`, evicting others as needed."""
        with self._lock:
            replaced = self._entries.pop(text, None)
            self._tokens += len(embedding) - (0 if replaced is None else len(replaced))
            self._entries[text] = embedding
            while len(self._entries) > self._max_entries or self._tokens > self._max_tokens:
                self._tokens -= len(self._entries.popitem(last=False)[1])


class TextEncoder:
    """Encodes prompts, with a cache. Thread-safe: one thread computes at a time."""

    def __init__(
        self,
        tokenizer: TextTokenizer,
        t5: T5Encoder,
        output_proj_weight: Tensor,
        output_proj_bias: Tensor,
    ) -> None:
        """Take the parts.

        Args:
            tokenizer: the tokenizer of `t5`.
            t5: its device is used for everything.
            output_proj_weight: [dim, d_model], of any precision.
            output_proj_bias: [dim].

        Raises:
            UnsupportedTextEncoderError: if the projection does not fit `t5`.
        """
        d_model = t5.configuration.d_model
        if output_proj_weight.dim() != 2 or output_proj_weight.shape[1] != d_model:
            shape = list(output_proj_weight.shape)
            raise UnsupportedTextEncoderError(f"output_proj has the shape {shape}, but T5's vectors have {d_model}.")
        if output_proj_bias.shape != output_proj_weight.shape[:1]:
            raise UnsupportedTextEncoderError("output_proj's weight and bias differ in length.")
        self._tokenizer = tokenizer
        self._t5 = t5
        # Views would keep the whole file of the checkpoint in memory.
        self._weight = output_proj_weight.detach().to(t5.device, torch.float32, copy=True)
        self._bias = output_proj_bias.detach().to(t5.device, torch.float32, copy=True)
        self._cache = EmbeddingCache()
        self._computing = threading.Lock()

    @property
    def dim(self) -> int:
        """The dimension of the result: the language model's."""
        return len(self._bias)

    @property
    def device(self) -> torch.device:
        """The device of the result of `encode`."""
        return self._t5.device

    def encode(self, text: str) -> Tensor:
        """The vectors of `text`: float32 [tokens, dim]. The cache shares them: do not modify them.

        The empty text is the null condition of classifier-free guidance: zeros [1, dim]. A text of spaces is not.

        Raises:
            ValueError: if `text` has more than MAX_TOKENS tokens or is not valid Unicode.
        """
        kept = self._cache.get(text)
        if kept is not None:
            return kept
        with self._computing:
            kept = self._cache.get(text)
            if kept is None:
                kept = self._compute(self._tokens(text)) if text else self._null()
                self._cache.put(text, kept)
            return kept

    def _tokens(self, text: str) -> list[int]:
        tokens = self._tokenizer.encode(text)
        if len(tokens) > MAX_TOKENS:
            raise ValueError(
                f"The prompt has {len(tokens)} tokens, and the text encoder takes {MAX_TOKENS}: shorten it."
            )
        if max(tokens) >= self._t5.configuration.vocab_size:
            # On a GPU the look-up would crash the process.
            raise ValueError("The prompt has a token that the text encoder has no vector for: leave out <extra_id_…>.")
        return tokens

    @torch.no_grad()
    def _compute(self, tokens: list[int]) -> Tensor:
        hidden = self._t5(torch.tensor(tokens, device=self.device))
        return functional.linear(hidden, self._weight, self._bias)

    def _null(self) -> Tensor:
        return torch.zeros(len(self._tokenizer.encode("")), self.dim, device=self.device)


def load_text_encoder(
    name_or_folder: str,
    output_proj_weight: Tensor,
    output_proj_bias: Tensor,
    device: str | torch.device,
    state: Mapping[str, Tensor] | None = None,
) -> TextEncoder:
    """Load the text encoder that a checkpoint's T5 conditioner names.

    Args:
        name_or_folder: a local folder, or a name on the hub such as t5-base.
        output_proj_weight: [dim, d_model], from the language model's checkpoint.
        output_proj_bias: [dim].
        device: where to compute.
        state: tensors of a fine-tuned T5, used instead of the weights file: those of a MusicGen checkpoint, or the
            T5's alone with the names of transformers' `T5EncoderModel`.

    Raises:
        UnsupportedTextEncoderError: if this code does not support it; transformers may.
        OSError, huggingface_hub.errors.HfHubHTTPError, safetensors.SafetensorError, pickle.UnpicklingError: if a file
            cannot be found or read.
    """
    folder = locate(name_or_folder, with_weights=state is None)
    weights = EncoderWeights(read_weights(folder) if state is None else state, device)
    t5 = T5Encoder(read_configuration(folder), weights)
    return TextEncoder(load_tokenizer(folder), t5, output_proj_weight, output_proj_bias)


def locate(name_or_folder: str, *, with_weights: bool) -> Path:
    """The folder with the files of a text encoder. Downloads only the files that are needed.

    Raises:
        OSError, huggingface_hub.errors.HfHubHTTPError: if the hub has no such name, or cannot be reached and nothing
            is cached.
    """
    folder = Path(name_or_folder)
    if folder.is_dir():
        return folder
    folder = _download(name_or_folder, _SMALL_FILES + [SAFETENSORS_FILE] * with_weights)
    # A repository may have the same weights in five formats: fetch the second choice only if the first is missing.
    fallbacks = []
    if with_weights and not (folder / SAFETENSORS_FILE).is_file():
        fallbacks.append(PICKLE_FILE)
    if not (folder / TOKENIZER_FILE).is_file():
        fallbacks.append(SENTENCEPIECE_FILE)
    return _download(name_or_folder, fallbacks) if fallbacks else folder


def _download(name: str, files: list[str]) -> Path:
    from huggingface_hub import snapshot_download  # the import takes a third of a second

    return Path(snapshot_download(name, allow_patterns=files))
