"""Encode a prompt for the language model: as keys and values of cross-attention, or as a prefix of the codes."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear
from torch.nn.utils.rnn import pad_sequence

from worker.engine.batching.config import MELODY, LanguageModelConfig, MelodyConfig
from worker.engine.batching.transformer import Transformer
from worker.engine.text.encoder import TextEncoder


class EncodedPrompt(NamedTuple):
    """The fields of `Request` that hold the prompts. Either `text` or `prefix` is None."""

    text: Tensor | None = None
    prefix: Tensor | None = None
    negative: Tensor | None = None


class Conditions:
    """Encodes prompts as conditions. Thread-safe."""

    def __init__(self, model: Transformer, text: TextEncoder, weights: Mapping[str, Tensor]) -> None:
        self._model = model
        self._text = text
        self._melody = no_melody(model.config, weights)

    def encode(self, prompt: str, guided: bool, negative_prompt: str | None = None) -> EncodedPrompt:
        """Encode a prompt, and a negative prompt that the unconditional row reads, if there is one.

        Raises:
            ValueError: if a prompt is too long.
        """
        text = self._text.encode(prompt)
        negative = self._text.encode(negative_prompt) if guided and negative_prompt else None
        if self._model.config.fuses == "cross":
            projected = None if negative is None else self._model.project_text(negative)
            return EncodedPrompt(text=self._model.project_text(text), negative=projected)
        # The unconditional row has the same melody. Without a negative prompt it has zeros instead of the text; of two
        # texts the shorter one is followed by zeros, as in a batch of audiocraft's.
        texts = [text, text.new_zeros(0, text.shape[1]) if negative is None else negative][: 1 + guided]
        rows = pad_sequence(texts, batch_first=True)
        melody = self._melody.expand(len(rows), -1, -1)
        return EncodedPrompt(prefix=torch.cat([melody, rows], 1).to(self._model.device))


def no_melody(config: LanguageModelConfig, weights: Mapping[str, Tensor]) -> Tensor:
    """The condition for "no melody": [positions, dim].

    Like audiocraft, it repeats the chromagram of one sample of silence. With `argmax`, the first pitch class wins
    the tie.
    """
    if config.melody is None:
        return torch.zeros(0, config.dim)
    name = f"condition_provider.conditioners.{MELODY}.output_proj"
    chroma = _silence(config.melody)
    return linear(chroma, weights[f"{name}.weight"].float(), weights[f"{name}.bias"].float())


def _silence(melody: MelodyConfig) -> Tensor:
    chroma = torch.zeros(melody.length, melody.chroma)
    if melody.argmax:
        chroma[:, 0] = 1.0
    return chroma
