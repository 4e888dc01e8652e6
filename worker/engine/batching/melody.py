"""A melody as the language model sees it: a chromagram, which tells how strong each pitch class is at each time."""

import math
from collections.abc import Mapping
from functools import cached_property

import torch
from julius.resample import resample_frac
from torch import Tensor
from torch.nn import functional

from worker.engine.batching.config import MELODY, LanguageModelConfig, MelodyConfig

# The smallest number that a frame's chroma are divided by.
SILENCE = 1e-6

WHOLE_MIX = (
    "The melody was read from the whole mix, drums and bass included: this service has no Demucs, which would take "
    "them out. If the music follows them, upload the melody alone."
)


class MelodyReader:
    """Turns audio into the condition of a melody model, like audiocraft's `ChromaStemConditioner` of the whole mix."""

    def __init__(self, config: LanguageModelConfig, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of the model, which must have melodies."""
        assert config.melody is not None
        self._config: MelodyConfig = config.melody
        name = f"condition_provider.conditioners.{MELODY}.output_proj"
        self._weight, self._bias = weights[f"{name}.weight"].float(), weights[f"{name}.bias"].float()

    @torch.inference_mode()
    def read(self, audio: Tensor, sample_rate: int) -> Tensor:
        """The condition for float32 audio [samples]: [positions, dim]. What is too short is repeated."""
        chroma = self._chroma(resample_frac(audio, sample_rate, self._config.sample_rate))
        repeats = math.ceil(self._config.length / len(chroma))
        return functional.linear(chroma.repeat(repeats, 1)[: self._config.length], self._weight, self._bias)

    def _chroma(self, audio: Tensor) -> Tensor:
        """Audiocraft's `ChromaExtractor` (modules/chroma.py): [frames, pitch classes]."""
        size = self._config.window
        lacking = max(size - len(audio), 0)
        padded = functional.pad(audio, (lacking // 2, lacking - lacking // 2))
        spectrum = torch.stft(padded[None], size, size // 4, window=self._hann, return_complex=True)
        power = (spectrum / self._hann.pow(2.0).sum().sqrt()).abs().pow(2.0)
        raw = torch.einsum("cf,...ft->...ct", self._filters, power)
        chroma = functional.normalize(raw, p=torch.inf, dim=-2, eps=SILENCE)[0].T
        if not self._config.argmax:
            return chroma
        return functional.one_hot(chroma.argmax(-1), self._config.chroma).float()

    @cached_property
    def _hann(self) -> Tensor:
        return torch.hann_window(self._config.window)

    @cached_property
    def _filters(self) -> Tensor:
        """How much each frequency belongs to each pitch class."""
        from librosa import filters  # the import takes seconds

        made = filters.chroma(
            sr=self._config.sample_rate, n_fft=self._config.window, tuning=0, n_chroma=self._config.chroma
        )
        return torch.from_numpy(made)


def no_melody(config: LanguageModelConfig, weights: Mapping[str, Tensor]) -> Tensor:
    """The condition for "no melody": [positions, dim].

    Like audiocraft, it repeats the chromagram of one sample of silence. With `argmax`, the first pitch class wins
    the tie.
    """
    if config.melody is None:
        return torch.zeros(0, config.dim)
    name = f"condition_provider.conditioners.{MELODY}.output_proj"
    chroma = _silence(config.melody)
    return functional.linear(chroma, weights[f"{name}.weight"].float(), weights[f"{name}.bias"].float())


def _silence(melody: MelodyConfig) -> Tensor:
    chroma = torch.zeros(melody.length, melody.chroma)
    if melody.argmax:
        chroma[:, 0] = 1.0
    return chroma
