"""Choose the engine's optimisations. Each has a switch, for comparison and in case it causes trouble."""

import logging
from dataclasses import replace

import torch

from shared.errors import ModelUnavailableError
from worker.engine.batching.attention import MaskedAttention, PerSlotAttention, StepAttention, StepRows
from worker.engine.batching.config import LanguageModelConfig
from worker.engine.batching.decoder import Decoder
from worker.engine.batching.kv_cache import PARTS, KvCache
from worker.engine.batching.language_model import LanguageModel
from worker.engine.batching.layout import Window
from worker.engine.batching.linear import Precision, can_int8
from worker.engine.batching.request import Request
from worker.engine.batching.transformer import Transformer
from worker.engine.encodec.packing import short_dtype
from worker.engine.interface import OnLoading, Tuning
from worker.engine.kernels.codec_layers import CodecThreads, runs_here
from worker.engine.kernels.native_library import REMEDY as NATIVE_REMEDY
from worker.engine.kernels.native_library import NativeStepError, instruction_sets

log = logging.getLogger(__name__)

# Narrower models are fast enough in float32 and lose more by rounding; with several threads they would spend most of
# the time synchronizing, especially on a busy machine.
WIDE = 512

# Steps of a trial, and the relative difference of logits that rounding explains.
TRIAL_STEPS, TOLERANCE = 3, 0.1

INTEGERS = ("int8", "int4")
# PyTorch has no int4 that could replace the native step's.
INT4_REMEDY = "set MUSICGEN_PRECISION=int8"
UNMEASURED = (
    "Weights are rounded to int4. What that does to the music of trained models was not measured: compare with "
    "MUSICGEN_PRECISION=int8, or run `python -m bench.quality`."
)

REMEDY = "Triton needs a C compiler (gcc), the headers of the C library and of Python, and a home folder to write to"


def pick_precision(tuning: Tuning, device: torch.device, config: LanguageModelConfig) -> Precision:
    """The precision of the linear layers."""
    if tuning.precision != "auto":
        if tuning.precision in INTEGERS and device.type != "cpu":
            raise ModelUnavailableError(
                f"MUSICGEN_PRECISION is {tuning.precision}, which runs on a CPU only, not on {device.type}.",
                "Set MUSICGEN_PRECISION=auto, or MUSICGEN_DEVICE=cpu.",
            )
        return tuning.precision
    if device.type == "cuda":
        return "float16"
    if device.type == "cpu" and config.dim >= WIDE and (can_int8() or _has_fast_step(tuning)):
        return "int8"
    return "float32"


def pick_codec_dtype(precision: Precision) -> torch.dtype:
    """What EnCodec multiplies: its error in bfloat16 is far below that of a language model in integers."""
    return short_dtype() if precision in INTEGERS else torch.float32


def pick_native_codec(tuning: Tuning, dtype: torch.dtype, threads: int) -> CodecThreads | None:
    """The native library for EnCodec in bfloat16, where the processor multiplies that; else PyTorch computes it."""
    if dtype != torch.bfloat16 or tuning.step == "torch" or not runs_here():
        return None
    return CodecThreads(threads)


def _has_fast_step(tuning: Tuning) -> bool:
    """Whether the native step may be used and has its own products in int8, as on Arm, where PyTorch has none."""
    try:
        return tuning.step != "torch" and instruction_sets()[0] != "portable"
    except NativeStepError:
        return False


def pick_threads(device: torch.device, config: LanguageModelConfig) -> int:
    """Threads per operation: one per CPU core, but a single one for narrow models and on GPUs."""
    return torch.get_num_threads() if device.type == "cpu" and config.dim >= WIDE else 1


def pick_attention(
    tuning: Tuning, device: torch.device, config: LanguageModelConfig, dtype: torch.dtype, on_loading: OnLoading
) -> StepAttention:
    """The attention for this device, unless `tuning` names one.

    `auto` takes the kernel only if a trial succeeds: Triton compiles it at the first call and needs a supported GPU,
    a C compiler and a writable cache.

    Raises:
        ModelUnavailableError: if `tuning` names the kernel and it does not run.
    """
    choice = tuning.attention
    if choice == "auto" and device.type == "cpu":
        return PerSlotAttention()
    if choice == "masked" or (choice == "auto" and device.type != "cuda"):
        return MaskedAttention()
    try:
        from worker.engine.batching.attention_kernel import TritonAttention  # Triton exists on Linux only

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
    """Run the attention once for one slot of this model, which compiles it.

    Raises:
        Exception: any error of the compiler, its cache or the driver.
    """
    cache = KvCache(replace(config, layers=1), 1, 1, dtype, device, clears=True)
    zero = torch.zeros(1, dtype=torch.int64, device=device)
    rows = StepRows(zero, zero, PARTS, ((0, 0, 1),))
    query = torch.zeros(PARTS, 1, config.heads, config.head_dim, dtype=dtype, device=device)
    new = torch.zeros(PARTS, 1, 2, config.heads, config.head_dim, dtype=dtype, device=device)
    # A kernel's errors surface only when its result is read.
    attention.to_past(cache, 0, rows, query, new).cpu()
    attention.to_text(cache, 0, rows, query[:1]).cpu()


def pick_decoder(tuning: Tuning, model: Transformer, slots: int, on_loading: OnLoading) -> type[Decoder]:
    """`FusedDecoder` on a GPU where Triton runs and a trial agrees with PyTorch, unless `tuning` excludes it.

    Raises:
        ModelUnavailableError: if `tuning` asks for native steps and they do not run.
    """
    if model.device.type != "cuda" or tuning.step == "torch" or not isinstance(model, LanguageModel):
        return Decoder
    if tuning.step == "auto" and isinstance(model.attention, MaskedAttention):
        return Decoder
    try:
        from worker.engine.batching.fused_model import FusedDecoder  # Triton exists on Linux only

        for number in {1, slots}:
            compare_steps(FusedDecoder, model, number)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        problem = f"The fused step does not run here: {type(error).__name__}: {str(error)[:300]}."
        if tuning.step == "native":
            raise ModelUnavailableError(problem, f"{REMEDY}, or set MUSICGEN_STEP=auto.") from error
        log.warning(problem, exc_info=error)
        on_loading(f"{problem} PyTorch's operations are used, which are slower. {REMEDY}.")
        return Decoder
    return FusedDecoder


def compare_steps(kind: type[Decoder], model: LanguageModel, slots: int) -> None:
    """Run some steps of this kind of decoder beside those of `Decoder`, which compiles its kernels.

    Raises:
        ValueError: if the logits differ by more than rounding.
        Exception: any error of the compiler, its cache or the driver.
    """
    with torch.inference_mode():
        exact, tried = (each(model, slots, TRIAL_STEPS) for each in (Decoder, kind))
        source = torch.Generator().manual_seed(0)
        batch = torch.arange(slots, device=model.device)
        for slot in range(slots):
            words = torch.randn(4, model.config.dim, generator=source)
            text = model.project_text(words) if model.config.fuses == "cross" else None
            request = Request(text, TRIAL_STEPS, seed=slot)
            for decoder in (exact, tried):
                decoder.begin(slot, request)
                # No frames are asked for, so that both decoders keep the same codes.
                decoder.open_window(slot, Window(0, 0), None, 0)
        for _ in range(TRIAL_STEPS):
            wanted, made = (decoder.logits(batch, PARTS) for decoder in (exact, tried))
            error = ((made - wanted).norm() / wanted.norm()).item()
            if not error <= TOLERANCE:
                raise ValueError(f"its logits differ from PyTorch's by {error:.1%}")
            exact.draw(batch, wanted)
            tried.draw(batch, made)


def pick_native(tuning: Tuning, precision: Precision, on_loading: OnLoading) -> bool:
    """Whether steps run in the native library, rather than in PyTorch.

    `auto` does not take it where it has no better instructions than any processor has, except for int4.

    Raises:
        ModelUnavailableError: if `tuning` asks for it, or for int4, and it does not run.
    """
    if precision == "int4" and tuning.step == "torch":
        raise ModelUnavailableError(
            "MUSICGEN_PRECISION is int4, in which only the native step computes, and MUSICGEN_STEP is torch.",
            f"Set MUSICGEN_STEP=auto, or {INT4_REMEDY}.",
        )
    if tuning.step == "torch" or (tuning.step == "auto" and precision not in INTEGERS):
        return False
    if precision not in INTEGERS:
        raise ModelUnavailableError(
            f"MUSICGEN_STEP is native, which computes in int8 on a CPU, not in {precision}.",
            "Set MUSICGEN_STEP=auto, or MUSICGEN_PRECISION=int8 and MUSICGEN_DEVICE=cpu.",
        )
    try:
        best = instruction_sets()[0]
    except NativeStepError as error:
        problem = f"The native step does not run here: {error}."
        if precision == "int4":
            raise ModelUnavailableError(problem, f"{NATIVE_REMEDY}, or {INT4_REMEDY}.") from error
        if tuning.step == "native":
            raise ModelUnavailableError(problem, f"{NATIVE_REMEDY}, or set MUSICGEN_STEP=auto.") from error
        log.warning(problem)
        on_loading(f"{problem} Steps run in PyTorch, which is slower. {NATIVE_REMEDY}.")
        return False
    if precision == "int4":
        log.warning(UNMEASURED)
        on_loading(UNMEASURED)
        return True
    return tuning.step == "native" or best != "portable"


def set_threads(threads: int) -> None:
    """Set how many threads PyTorch uses for operations of the calling thread.

    OpenMP keeps a thread pool for every thread that ever computed in parallel, and the pools compete for the cores.
    So on a CPU only the decode loop's thread uses more than one.
    """
    torch.set_num_threads(threads)
    # A thread adopts the last number set by any thread when it first computes; this call makes that happen now.
    torch.get_num_threads()
