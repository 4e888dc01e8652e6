"""What a prompt becomes for the language model: keys and values of cross-attention, or positions before the codes."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import linear

from worker.engine.batching.config import MELODY, LanguageModelConfig, MelodyConfig
from worker.engine.batching.language_model import LanguageModel
from worker.engine.text.encoder import TextEncoder


class Conditions:
    """Turns prompts into conditions; may be used from several threads at once."""

    def __init__(self, model: LanguageModel, text: TextEncoder, weights: Mapping[str, Tensor]) -> None:
        self._model = model
        self._text = text
        self._melody = no_melody(model.config, weights)

    def encode(self, prompt: str, guided: bool) -> tuple[Tensor | None, Tensor | None]:
        """`text` and `prefix` of a request; see there.

        Raises:
            ValueError: if the prompt is too long.
        """
        text = self._text.encode(prompt)
        if self._model.config.fuses == "cross":
            return self._model.project_text(text), None
        # The row without text has zeros in its place, and the same melody.
        rows = torch.stack([text, torch.zeros_like(text)]) if guided else text[None]
        melody = self._melody.expand(len(rows), -1, -1)
        return None, torch.cat([melody, rows], 1).to(self._model.device)


def no_melody(config: LanguageModelConfig, weights: Mapping[str, Tensor]) -> Tensor:
    """What stands in the place of a melody that was not given: [positions, dim].

    audiocraft takes the chromagram of one sample of silence and repeats it. With `argmax`, the first pitch class
    counts as the strongest of none.
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
