"""Encode a prompt for the language model: as keys and values of cross-attention, or as a prefix of the codes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from worker.engine.batching.melody import no_melody
from worker.engine.batching.transformer import Transformer
from worker.engine.text.encoder import TextEncoder


class EncodedPrompt(NamedTuple):
    """The fields of `Request` that hold the prompts and the melody. Either `text` or `prefix` is None."""

    text: Tensor | None = None
    prefix: Tensor | None = None
    negative: Tensor | None = None
    later_prefixes: tuple[Tensor, ...] = ()


class Conditions:
    """Encodes prompts as conditions. Thread-safe."""

    def __init__(self, model: Transformer, text: TextEncoder, weights: Mapping[str, Tensor]) -> None:
        self._model = model
        self._text = text
        self._no_melody = no_melody(model.config, weights)

    def encode(
        self, prompt: str, guided: bool, negative_prompt: str | None = None, melodies: Sequence[Tensor] = ()
    ) -> EncodedPrompt:
        """Encode a prompt, and a negative prompt that the unconditional row reads, if there is one.

        Args:
            prompt: the text.
            guided: whether there is an unconditional row.
            negative_prompt: its text.
            melodies: the condition of each window, [positions, dim]; none is no melody.

        Raises:
            ValueError: if a prompt is too long.
        """
        text = self._text.encode(prompt)
        negative = self._text.encode(negative_prompt) if guided and negative_prompt else None
        if self._model.config.fuses == "cross":
            projected = None if negative is None else self._model.project_text(negative)
            return EncodedPrompt(text=self._model.project_text(text), negative=projected)
        # The unconditional row has no melody. Without a negative prompt it has zeros instead of the text; of two texts
        # the shorter one is followed by zeros, as in a batch of audiocraft's.
        texts = [text, text.new_zeros(0, text.shape[1]) if negative is None else negative][: 1 + guided]
        rows = pad_sequence(texts, batch_first=True)
        first, *later = [self._prefix(melody, rows) for melody in melodies or (self._no_melody,)]
        return EncodedPrompt(prefix=first, later_prefixes=tuple(later))

    def _prefix(self, melody: Tensor, rows: Tensor) -> Tensor:
        melodies = torch.stack([melody, self._no_melody][: len(rows)])
        return torch.cat([melodies, rows], 1).to(self._model.device)
