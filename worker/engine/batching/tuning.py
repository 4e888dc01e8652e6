"""Which of the engine's optimisations are on. Each has a switch, for comparison and for where one misbehaves."""

import logging
from dataclasses import replace

import torch

from shared.errors import ModelUnavailableError
from worker.engine.batching.attention import MaskedAttention, PerSlotAttention, StepAttention, StepRows
from worker.engine.batching.config import LanguageModelConfig
from worker.engine.batching.kv_cache import PARTS, KvCache
from worker.engine.batching.linear import Precision, can_int8
from worker.engine.interface import OnLoading, Tuning

log = logging.getLogger(__name__)

# Narrower models are fast enough in float32, and rounding costs them more; on several threads they would spend most
# of their time waiting for each other, the more so on a busy machine.
WIDE = 512

REMEDY = "Triton needs a C compiler (gcc), the headers of the C library and of Python, and a home folder to write to"


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


def pick_attention(
    tuning: Tuning, device: torch.device, config: LanguageModelConfig, dtype: torch.dtype, on_loading: OnLoading
) -> StepAttention:
    """The way that suits the device, unless another one is asked for.

    `auto` takes the kernel only where it runs: Triton compiles it at the first call, for which it needs a GPU that it
    knows, a C compiler and a cache that can be written.

    Raises:
        ModelUnavailableError: if the kernel is asked for and does not run.
    """
    choice = tuning.attention
    if choice == "auto" and device.type == "cpu":
        return PerSlotAttention()
    if choice == "masked" or (choice == "auto" and device.type != "cuda"):
        return MaskedAttention()
    try:
        from worker.engine.batching.attention_kernel import TritonAttention  # needs Triton, which only Linux has

        attention = TritonAttention()
        try_out(attention, config, dtype, device)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        problem = f"The attention kernel does not run here: {type(error).__name__}: {str(error)[:300]}."
        if choice == "kernel":
            raise ModelUnavailableError(
                problem,
                f"{REMEDY}, or set MUSICGEN_ATTENTION=auto, which then uses PyTorch's own attention.",
            ) from error
        log.warning(problem, exc_info=error)
        on_loading(f"{problem} PyTorch's own attention is used, which is slower. {REMEDY}.")
        return MaskedAttention()
    return attention


def try_out(attention: StepAttention, config: LanguageModelConfig, dtype: torch.dtype, device: torch.device) -> None:
    """Have attention done once for one slot of this model, so that what must be compiled is compiled.

    Raises:
        Exception: whatever the compiler, its cache or the driver raises.
    """
    cache = KvCache(replace(config, layers=1), 1, 1, dtype, device)
    cache.clear()
    zero = torch.zeros(1, dtype=torch.int64, device=device)
    rows = StepRows(zero, zero, PARTS, ((0, 0, 1),))
    query = torch.zeros(PARTS, 1, config.heads, config.head_dim, dtype=dtype, device=device)
    new = torch.zeros(PARTS, 1, 2, config.heads, config.head_dim, dtype=dtype, device=device)
    # A kernel's error comes only when its result is waited for.
    attention.to_past(cache, 0, rows, query, new).cpu()
    attention.to_text(cache, 0, rows, query[:1]).cpu()


def set_threads(threads: int) -> None:
    """Spread the operations of the calling thread over `threads`.

    OpenMP keeps a pool of threads for every thread that ever computed in parallel, and they get in each other's way.
    So in a process that computes on a CPU one thread alone, the decode loop's, spreads its work.
    """
    torch.set_num_threads(threads)
    # PyTorch takes over the last number that any thread set when a thread computes for the first time: that is now.
    torch.get_num_threads()
