"""Encode a prompt for the language model: as keys and values of cross-attention, or as a prefix of the codes."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import linear

from worker.engine.batching.config import MELODY, LanguageModelConfig, MelodyConfig
from worker.engine.batching.transformer import Transformer
from worker.engine.text.encoder import TextEncoder


class Conditions:
    """Encodes prompts as conditions. Thread-safe."""

    def __init__(self, model: Transformer, text: TextEncoder, weights: Mapping[str, Tensor]) -> None:
        self._model = model
        self._text = text
        self._melody = no_melody(model.config, weights)

    def encode(self, prompt: str, guided: bool) -> tuple[Tensor | None, Tensor | None]:
        """Return `Request.text` and `Request.prefix`; one of them is None.

        Raises:
            ValueError: if the prompt is too long.
        """
        text = self._text.encode(prompt)
        if self._model.config.fuses == "cross":
            return self._model.project_text(text), None
        # The unconditional row has zeros instead of the text, and the same melody.
        rows = torch.stack([text, torch.zeros_like(text)]) if guided else text[None]
        melody = self._melody.expand(len(rows), -1, -1)
        return None, torch.cat([melody, rows], 1).to(self._model.device)


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
