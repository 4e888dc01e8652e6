"""Keeps the vectors of the texts that were asked for last."""

import threading
from collections import OrderedDict

from torch import Tensor

MAX_ENTRIES = 256
# Prompts have some 40 tokens. With the largest model's 2048 numbers a token this is 128 MB at most, where 256 of the
# longest prompts would be a gigabyte of a GPU's memory.
MAX_TOKENS = 16_384


class EmbeddingCache:
    """Least recently used first out, bounded in entries and in tokens. Safe to use from several threads."""

    def __init__(self, max_entries: int = MAX_ENTRIES, max_tokens: int = MAX_TOKENS) -> None:
        self._max_entries = max_entries
        self._max_tokens = max_tokens
        self._tokens = 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, text: str) -> Tensor | None:
        """The vectors [tokens, dim] of `text` if they are kept."""
        with self._lock:
            if text in self._entries:
                self._entries.move_to_end(text)
            return self._entries.get(text)

    def put(self, text: str, embedding: Tensor) -> None:
        """Keep the vectors [tokens, dim] of `text`, and drop what that leaves no room for."""
        with self._lock:
            replaced = self._entries.pop(text, None)
            self._tokens += len(embedding) - (0 if replaced is None else len(replaced))
            self._entries[text] = embedding
            while len(self._entries) > self._max_entries or self._tokens > self._max_tokens:
                self._tokens -= len(self._entries.popitem(last=False)[1])
