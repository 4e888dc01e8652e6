"""Loads the engines: the decode engine with instrumented parts, and audiocraft's own model."""

import math
import sys
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import torch

from worker.engine.batching import engine as batching
from worker.engine.batching.decoder import Decoder
from worker.engine.batching.layout import STRIDE_SHARE
from worker.engine.batching.step_runner import StepRunner
from worker.engine.codec_interface import Codec
from worker.engine.interface import EngineSettings, Tuning
from worker.engine.loading.codecs import load_codec

# Takes the engine's part and returns its replacement.
WrapCodec = Callable[[Codec], Codec]
WrapRunner = Callable[[Decoder, StepRunner], StepRunner]


def load_batching(
    settings: EngineSettings, wrap_codec: WrapCodec, wrap_runner: WrapRunner = lambda decoder, runner: runner
) -> batching.BatchingEngine:
    """Our engine as a worker loads it, but for what the two functions put into it.

    Raises:
        ModelUnavailableError, UnsupportedModelError, UnsupportedCodecError, UnsupportedTextEncoderError: as from
            the engine's own `load`.
    """
    make_runner = batching._make_runner

    def codec(*arguments: Any, **options: Any) -> Codec:
        return wrap_codec(load_codec(*arguments, **options))

    def runner(decoder: Decoder, tuning: Tuning) -> StepRunner:
        return wrap_runner(decoder, make_runner(decoder, tuning))

    with patch.object(batching, "load_codec", codec), patch.object(batching, "_make_runner", runner):
        return batching.load(settings, tell)


def load_audiocraft(reference: str, device: str, *, in_float32: bool = False) -> Any:
    """Load audiocraft's `MusicGen`, which uses float16 on a GPU unless `in_float32` is set."""
    tell("Importing audiocraft")
    from worker.engine.audiocraft_checkpoint import load_musicgen

    tell(f"Loading audiocraft's {reference} onto {device}")
    if not in_float32 or device == "cpu":
        return load_musicgen(reference, device)
    model = load_musicgen(reference, "cpu")  # on the CPU it uses float32
    _move(model, device)
    return model


def set_pieces(model: Any, seconds: float, **options: Any) -> None:
    """Set audiocraft's duration so that its number of frames, rounded down, equals ours, rounded up."""
    exact = math.ceil(seconds * model.frame_rate - 1e-6) / model.frame_rate
    duration = exact if exact == model.max_duration else exact + 1e-6
    model.set_generation_params(duration=duration, extend_stride=STRIDE_SHARE * model.max_duration, **options)


def synchronize(device: str) -> None:
    """Wait until the device has finished its work; a no-op on a CPU."""
    if device != "cpu":
        torch.get_device_module(device).synchronize()


def tell(sentence: str) -> None:
    """Print a progress message to standard error."""
    print(sentence, file=sys.stderr, flush=True)


def _move(model: Any, device: str) -> None:
    """Move audiocraft's model. Many objects store the device, and `to` does not reach T5."""
    model.device = torch.device(device)
    model.lm.to(device)
    model.compression_model.to(device)
    model.lm.condition_provider.device = device
    for conditioner in model.lm.condition_provider.conditioners.values():
        conditioner.device = device
        if hasattr(conditioner, "t5"):
            conditioner.t5.to(device)
