"""Turns the audio that a recipe is conditioned on into what the language model sees of it."""

from collections.abc import Mapping

import torch
from torch import Tensor

from shared.audio_conditions import ConditionKind, Excerpt
from shared.messages import Recipe
from worker.engine.batching.config import LanguageModelConfig
from worker.engine.batching.layout import STRIDE_SHARE, plan_windows
from worker.engine.batching.melody import MelodyReader
from worker.engine.codec_interface import Codec
from worker.engine.encodec.codec import EncodecCodec
from worker.engine.encodec.waveform import as_waveform


class ConditionReader:
    """Reads excerpts for one model, in the threads of their requests.

    Attributes:
        kinds: the conditions that the model has.
    """

    def __init__(self, codec: Codec, config: LanguageModelConfig, weights: Mapping[str, Tensor], window: int) -> None:
        """Take the parts of the model, and the frames of its longest window."""
        self._codec = codec
        self._encoder = codec.encoder if isinstance(codec, EncodecCodec) else None
        self._melodies = MelodyReader(config, weights) if config.melody else None
        self._segment = config.segment
        self._window = window
        has: dict[ConditionKind, object] = {"continue_from": self._encoder, "melody": self._melodies}
        self.kinds: tuple[ConditionKind, ...] = tuple(kind for kind, part in has.items() if part is not None)

    def read(self, recipe: Recipe, excerpt: Excerpt | None, frames: int) -> tuple[Tensor | None, list[Tensor]]:
        """The codes that a piece of so many frames begins with, if any, and the melodies of its windows, if any.

        Raises:
            ValueError: if the codes leave nothing to generate.
        """
        if recipe.audio is None or excerpt is None:
            return None, []
        if recipe.audio.kind == "melody":
            return None, self._read_melodies(excerpt, frames)
        return self._continued(excerpt, frames), []

    def _continued(self, excerpt: Excerpt, frames: int) -> Tensor:
        """The codes of the excerpt: int64 of shape [codebooks, frames]."""
        assert self._encoder is not None, "the worker asks only for `kinds`"
        codes = self._encoder.encode(self._waveform(excerpt))
        most = min(frames, self._window) - 1
        if codes.shape[1] > most:
            seconds = most / self._codec.frame_rate
            raise ValueError(f"The excerpt leaves nothing to generate: this take may begin with {seconds:g} s of it.")
        return codes

    def _read_melodies(self, excerpt: Excerpt, frames: int) -> list[Tensor]:
        """The melody condition of each window: [positions, dim].

        As in audiocraft, the excerpt is a loop for pieces of several windows, each of which begins at its own place.
        """
        assert self._melodies is not None, "the worker asks only for `kinds`"
        audio, rate = self._waveform(excerpt).mean(0), self._codec.sample_rate
        count = len(plan_windows(frames, self._window))
        if count == 1:
            return [self._melodies.read(audio, rate)]
        seconds = int(STRIDE_SHARE * self._window) / self._codec.frame_rate
        starts = [int(number * seconds * rate) for number in range(count)]
        length = int(self._segment * rate)
        parts = (audio[torch.arange(start, start + length) % len(audio)] for start in starts)
        return [self._melodies.read(part, rate) for part in parts]

    def _waveform(self, excerpt: Excerpt) -> Tensor:
        return as_waveform(excerpt, self._codec.sample_rate, self._codec.channels)
