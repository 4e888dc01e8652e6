"""The reference engine: audiocraft's `MusicGen.generate`, one request at a time."""

import math
from collections.abc import Iterator
from typing import Any

import torch

from shared.errors import ModelUnavailableError
from shared.messages import Recipe
from worker.engine.batching.layout import STRIDE_SHARE
from worker.engine.interface import EngineSettings, ModelInfo, OnLoading, OnStep, Samples
from worker.engine.loading.checkpoints import find_checkpoint, identify
from worker.engine.loading.load_errors import check_device, explained, pick_device


class StepCounter:
    """Counts the steps of one request. Decoding to audio counts as a twentieth of them, at the end."""

    def __init__(self, expected: int, on_step: OnStep) -> None:
        self._done = 0
        self._total = expected + max(expected // 20, 1)
        self._on_step = on_step

    def advance(self, *_: int) -> None:
        """Count one step. audiocraft's own count restarts in every window, so it is ignored."""
        self._done += 1
        self.check()

    def check(self) -> None:
        """Report progress. Raises CancelledGenerationError if the job was cancelled."""
        self._on_step(min(self._done, self._total - 1), self._total)


def load(settings: EngineSettings, on_loading: OnLoading) -> "AudiocraftEngine":
    """Load the model that `settings` name.

    Raises:
        ModelUnavailableError: with the remedy, if the model cannot be loaded.
    """
    if settings.tuning.precision == "int4":
        raise ModelUnavailableError(
            f"MUSICGEN_PRECISION is int4, but audiocraft's own loop, which runs {settings.model}, has no int4.",
            "Set MUSICGEN_PRECISION=auto.",
        )
    device = pick_device(settings.device)
    check_device(device)
    reference = find_checkpoint(settings.model)
    on_loading("Importing audiocraft (some 20 seconds)")
    from worker.engine.audiocraft_checkpoint import load_musicgen

    on_loading(f"Loading {settings.model} onto {device}")
    with explained(settings.model, reference):
        return AudiocraftEngine(load_musicgen(reference, device), device, identify(reference))


class AudiocraftEngine:
    """It has one slot: audiocraft samples from torch's global generator, which concurrent requests cannot share."""

    slots = 1

    def __init__(self, model: Any, device: str, checkpoint: str | None = None) -> None:
        self._model = model
        self.info = ModelInfo(
            engine="audiocraft",
            device=device,
            sample_rate=model.sample_rate,
            channels=model.audio_channels,
            checkpoint=checkpoint,
        )
        self._steps: StepCounter | None = None
        for module in (*model.lm.modules(), *model.compression_model.modules()):
            if not any(module.children()):
                module.register_forward_pre_hook(self._before_module)

    def generate(self, recipe: Recipe, on_step: OnStep) -> Iterator[Samples]:
        """See `Engine.generate`. The audio is a single chunk, because audiocraft decodes at the end.

        Longer pieces than the model's window use audiocraft's sliding window.

        Raises:
            ValueError: if the recipe has a negative prompt.
        """
        if recipe.negative_prompt is not None:
            raise ValueError("audiocraft's own loop, which runs this model, has no negative prompt: leave it out.")
        model = self._model
        lead_in = getattr(model.compression_model, "lead_in", 0)
        frames = lead_in + math.ceil(recipe.duration * model.frame_rate - 1e-6)
        self._steps = StepCounter(self._expected_steps(frames), on_step)
        model.set_custom_progress_callback(self._steps.advance)
        model.set_generation_params(
            duration=self._duration_of(frames),
            temperature=recipe.temperature,
            top_k=min(recipe.top_k, model.lm.card),
            top_p=recipe.top_p,
            cfg_coef=recipe.cfg_coef,
            extend_stride=STRIDE_SHARE * model.max_duration,
        )
        torch.manual_seed(recipe.seed)
        try:
            audio = model.generate([recipe.prompt], progress=True)
        except torch.cuda.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise MemoryError(
                f"{recipe.duration:g} s do not fit into GPU memory: request a shorter duration."
            ) from error
        finally:
            self._steps = None
        samples: Samples = audio[0].float().cpu().numpy().T
        yield samples[: round(recipe.duration * self.info.sample_rate)]

    @property
    def _window(self) -> int:
        """Frames in one window of the model."""
        return int(float(self._model.max_duration) * float(self._model.frame_rate))

    def _duration_of(self, frames: int) -> float:
        """Seconds that audiocraft converts to exactly `frames`: it rounds a product of floats down."""
        seconds: float = frames / self._model.frame_rate + 1e-6
        return min(seconds, self._model.max_duration) if frames <= self._window else seconds

    def _expected_steps(self, frames: int) -> int:
        """Every window generates its new frames and the tail of the delay pattern."""
        stride = int(STRIDE_SHARE * self._model.max_duration * self._model.frame_rate)
        windows = 1 + max(math.ceil((frames - self._window) / stride), 0)
        tail: int = self._model.lm.num_codebooks - 1
        return frames + windows * tail

    def _before_module(self, *_: object) -> None:
        # Decoding to audio is one long call: checking before each module makes it cancellable.
        if self._steps is not None:
            self._steps.check()
