"""Which of the engine's optimisations are on. Each has a switch, for comparison and for where one misbehaves."""

import torch

from shared.errors import ModelUnavailableError
from worker.engine.batching.attention import Masked, SlotBySlot, StepAttention
from worker.engine.batching.config import LanguageModelConfig
from worker.engine.batching.linear import Precision, can_int8
from worker.engine.interface import Tuning

# Narrower models are fast enough in float32, and rounding costs them more; on several threads they would spend most
# of their time waiting for each other, the more so on a busy machine.
WIDE = 512


def pick_precision(tuning: Tuning, device: torch.device, config: LanguageModelConfig) -> Precision:
    """What the linears are computed in."""
    if tuning.precision != "auto":
        if tuning.precision == "int8" and device.type != "cpu":
            raise ModelUnavailableError(
                f"MUSICGEN_PRECISION is int8, which runs on a CPU only, not on {device.type}.",
                "Set MUSICGEN_PRECISION=auto, or MUSICGEN_DEVICE=cpu.",
            )
        return tuning.precision
    if device.type == "cuda":
        return "float16"
    if device.type == "cpu" and config.dim >= WIDE and can_int8():
        return "int8"
    return "float32"


def pick_threads(device: torch.device, config: LanguageModelConfig) -> int:
    """How many threads a step is spread over: on a CPU one for each core, but a narrow model is faster on one."""
    return torch.get_num_threads() if device.type == "cpu" and config.dim >= WIDE else 1


def pick_attention(tuning: Tuning, device: torch.device) -> StepAttention:
    """The way that suits the device, unless another one is asked for."""
    choice = tuning.attention
    if choice == "auto" and device.type == "cpu":
        return SlotBySlot()
    if choice == "kernel" or (choice == "auto" and device.type == "cuda"):
        from worker.engine.batching.kernel import Kernel  # needs Triton, which only Linux has

        return Kernel()
    return Masked()
