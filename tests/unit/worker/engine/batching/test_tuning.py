"""The choice of attention, and its report if the kernel does not run."""

import logging
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from shared.errors import ModelUnavailableError
from tests.unit.worker.engine.batching.batch import CPU, make_model
from tests.unit.worker.engine.batching.models import Tiny, config
from worker.engine import audiocraft_engine
from worker.engine.batching import tuning
from worker.engine.batching.attention import MaskedAttention, PerSlotAttention, StepAttention
from worker.engine.batching.decoder import Decoder
from worker.engine.batching.language_model import LanguageModel
from worker.engine.batching.linear import Precision, make_linear
from worker.engine.batching.tuning import (
    compare_steps,
    pick_attention,
    pick_decoder,
    pick_native,
    pick_native_codec,
    pick_precision,
    try_out,
)
from worker.engine.interface import EngineSettings, Tuning
from worker.engine.kernels.native_library import NativeStepError

CUDA = torch.device("cuda")

# What Triton raises in each situation.
OBSTACLES = {
    "no compiler": RuntimeError("Failed to find C compiler. Please specify via CC environment variable."),
    "no headers": subprocess.CalledProcessError(1, ["gcc", "main.c"]),
    "no driver": AssertionError("libcuda.so cannot found!"),
    "unknown GPU": ValueError("PTX .version 9.9 does not support .target sm_999"),
    "unwritable cache": PermissionError(13, "Permission denied", "/.triton"),
    "no Triton": ImportError("No module named 'triton'"),
    "another error": KeyError("fp8"),
}


def pick(attention: str, device: torch.device, reported: list[str]) -> StepAttention:
    chosen = Tuning(attention=attention)  # type: ignore[arg-type]
    return pick_attention(chosen, device, config(Tiny(dim=48, heads=4)), torch.float16, reported.append)


@pytest.fixture(params=OBSTACLES)
def obstacle(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Exception:
    error = OBSTACLES[request.param]

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(tuning, "try_out", fail)
    return error


def test_auto_falls_back_to_masked_attention_and_reports_why(
    obstacle: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    reported: list[str] = []
    assert isinstance(pick("auto", CUDA, reported), MaskedAttention)
    (line,) = reported
    for part in (type(obstacle).__name__, str(obstacle), "PyTorch's own attention is used", "gcc"):
        assert part in line
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.exc_info is not None
    assert record.exc_info[1] is obstacle


def test_explicitly_chosen_kernel_is_not_replaced(obstacle: Exception) -> None:
    reported: list[str] = []
    with pytest.raises(ModelUnavailableError) as refused:
        pick("kernel", CUDA, reported)
    assert reported == []
    assert str(obstacle) in str(refused.value)
    assert refused.value.__cause__ is obstacle
    assert "MUSICGEN_ATTENTION=auto" in refused.value.remedy


@pytest.mark.parametrize("attention", ["auto", "kernel"])
def test_out_of_memory_is_not_blamed_on_the_kernel(attention: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(tuning, "try_out", fail)
    with pytest.raises(torch.OutOfMemoryError):
        pick(attention, CUDA, [])


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_auto_falls_back_without_a_gpu() -> None:
    reported: list[str] = []
    assert isinstance(pick("auto", CUDA, reported), MaskedAttention)
    assert len(reported) == 1


def test_kernel_on_a_cpu_is_rejected() -> None:
    pytest.importorskip("triton")
    with pytest.raises(ModelUnavailableError, match="The attention kernel does not run here"):
        pick("kernel", CPU, [])


@pytest.mark.parametrize(
    ("attention", "device", "kind"),
    [
        ("auto", "cpu", PerSlotAttention),
        ("auto", "mps", MaskedAttention),
        ("masked", "cuda", MaskedAttention),
        ("masked", "cpu", MaskedAttention),
    ],
)
def test_no_trial_without_the_kernel(attention: str, device: str, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "try_out", None)
    assert isinstance(pick(attention, torch.device(device), []), kind)


KERNEL = """
from tests.unit.worker.engine.batching.test_tuning import CPU, pick
print(type(pick("kernel", CPU, [])).__name__)
"""


def test_working_kernel_is_used() -> None:
    pytest.importorskip("triton")
    # Triton reads TRITON_INTERPRET at import; interpreted, it runs on a CPU.
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", KERNEL], env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stdout == "TritonAttention\n", done.stderr


@pytest.mark.parametrize("attention", [PerSlotAttention(), MaskedAttention()])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_trial_runs_on_every_attention(attention: StepAttention, dtype: torch.dtype) -> None:
    try_out(attention, config(Tiny(dim=48, heads=4)), dtype, CPU)


@pytest.mark.parametrize(
    ("step", "precision", "sets", "native"),
    [
        ("auto", "int8", ("avx2", "portable"), True),
        ("auto", "int8", ("portable",), False),
        ("auto", "float32", ("avx2", "portable"), False),
        ("auto", "float16", ("avx2", "portable"), False),
        ("native", "int8", ("portable",), True),
        ("torch", "int8", ("avx2", "portable"), False),
        ("auto", "int4", ("avx2", "portable"), True),
        ("auto", "int4", ("portable",), True),
        ("native", "int4", ("portable",), True),
    ],
)
def test_native_step_is_picked_where_it_is_faster(
    step: str, precision: Precision, sets: tuple[str, ...], native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "instruction_sets", lambda: sets)
    assert pick_native(Tuning(step=step), precision, print) is native  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("step", "sets", "precision"),
    [("auto", ("dotprod", "portable"), "int8"), ("auto", ("portable",), "float32"), ("torch", ("dotprod",), "float32")],
)
def test_without_int8_in_pytorch_the_native_step_computes_in_int8(
    step: str, sets: tuple[str, ...], precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "can_int8", lambda: False)
    monkeypatch.setattr(tuning, "instruction_sets", lambda: sets)
    wide = replace(config(Tiny(dim=48, heads=4)), dim=tuning.WIDE)
    assert pick_precision(Tuning(step=step), CPU, wide) == precision  # type: ignore[arg-type]


def test_missing_native_step_is_reported_and_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> tuple[str, ...]:
        raise NativeStepError("it was not compiled")

    monkeypatch.setattr(tuning, "instruction_sets", fail)
    reported: list[str] = []
    assert not pick_native(Tuning(), "int8", reported.append)
    (line,) = reported
    for part in ("it was not compiled", "Steps run in PyTorch", "Install gcc 11 or clang"):
        assert part in line
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    with pytest.raises(ModelUnavailableError, match="it was not compiled") as refused:
        pick_native(Tuning(step="native"), "int8", reported.append)
    assert "MUSICGEN_STEP=auto" in refused.value.remedy


def test_int4_is_never_replaced_by_another_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> tuple[str, ...]:
        raise NativeStepError("it was not compiled")

    with pytest.raises(ModelUnavailableError, match="only the native step computes") as refused:
        pick_native(Tuning(precision="int4", step="torch"), "int4", print)
    assert "MUSICGEN_PRECISION=int8" in refused.value.remedy
    monkeypatch.setattr(tuning, "instruction_sets", fail)
    with pytest.raises(ModelUnavailableError, match="it was not compiled") as refused:
        pick_native(Tuning(precision="int4"), "int4", print)
    assert "MUSICGEN_PRECISION=int8" in refused.value.remedy
    with pytest.raises(ModelUnavailableError, match="is int4, which runs on a CPU only"):
        pick_precision(Tuning(precision="int4"), CUDA, config(Tiny(dim=48, heads=4)))
    with pytest.raises(ValueError, match="int4"):
        make_linear(torch.ones(2, 2), "int4", CPU)


def test_int4_warns_that_its_quality_was_not_measured(caplog: pytest.LogCaptureFixture) -> None:
    reported: list[str] = []
    assert pick_native(Tuning(precision="int4"), "int4", reported.append)
    assert reported == [record.message for record in caplog.records]
    assert "was not measured" in reported[0]


def test_audiocraft_refuses_int4() -> None:
    settings = EngineSettings(
        engine="audiocraft", model="starter", device="cpu", max_slots=1, max_duration=1, tuning=Tuning(precision="int4")
    )
    with pytest.raises(ModelUnavailableError, match="has no int4"):
        audiocraft_engine.load(settings, print)


def test_native_step_in_another_precision_is_rejected() -> None:
    with pytest.raises(ModelUnavailableError, match="not in float32") as refused:
        pick_native(Tuning(step="native"), "float32", print)
    assert "MUSICGEN_PRECISION=int8" in refused.value.remedy


def on_cuda(monkeypatch: pytest.MonkeyPatch, attention: StepAttention | None = None) -> LanguageModel:
    """A model that claims to be on a GPU."""
    model = make_model(Tiny(dim=48, heads=4), attention or PlainAttention())
    monkeypatch.setattr(model, "device", CUDA)
    return model


class PlainAttention(PerSlotAttention):
    """Stands for the kernel."""


@pytest.mark.parametrize("step", ["auto", "native"])
def test_fused_step_is_tried_with_one_slot_and_with_all(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton")
    tried: list[int] = []
    monkeypatch.setattr(tuning, "compare_steps", lambda kind, model, slots: tried.append(slots))
    kind = pick_decoder(Tuning(step=step), on_cuda(monkeypatch), 8, print)  # type: ignore[arg-type]
    assert kind.__name__ == "FusedDecoder"
    assert sorted(tried) == [1, 8]


def test_fused_step_that_fails_its_trial_is_reported_and_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("its logits differ from PyTorch's by 40%")

    monkeypatch.setattr(tuning, "compare_steps", fail)
    reported: list[str] = []
    assert pick_decoder(Tuning(), on_cuda(monkeypatch), 8, reported.append) is Decoder
    (line,) = reported
    assert "logits differ from PyTorch's by 40%" in line
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    with pytest.raises(ModelUnavailableError, match="fused step does not run") as refused:
        pick_decoder(Tuning(step="native"), on_cuda(monkeypatch), 8, reported.append)
    assert "MUSICGEN_STEP=auto" in refused.value.remedy


def test_no_trial_where_steps_are_not_fused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "compare_steps", None)
    assert pick_decoder(Tuning(), make_model(Tiny()), 1, print) is Decoder
    assert pick_decoder(Tuning(step="torch"), on_cuda(monkeypatch), 1, print) is Decoder
    assert pick_decoder(Tuning(), on_cuda(monkeypatch, MaskedAttention()), 1, print) is Decoder


class Shifted(Decoder):
    """Computes other logits."""

    def logits(self, slots: Tensor, parts: int, *rest: Any, **options: Any) -> Tensor:
        logits = super().logits(slots, parts, *rest, **options)
        shift: Tensor = 0.5 * logits.norm() / logits.numel() ** 0.5
        return logits + shift


@pytest.mark.parametrize("melody", [False, True])
def test_trial_compares_logits(melody: bool) -> None:
    model = make_model(Tiny(melody=melody), MaskedAttention())
    compare_steps(Decoder, model, 3)
    with pytest.raises(ValueError, match=r"differ from PyTorch's by \d"):
        compare_steps(Shifted, model, 3)


@pytest.mark.parametrize(
    ("step", "dtype", "has_instructions", "native"),
    [
        ("auto", torch.bfloat16, True, True),
        ("auto", torch.bfloat16, False, False),
        ("auto", torch.float32, True, False),
        ("torch", torch.bfloat16, True, False),
    ],
)
def test_native_codec_is_picked_where_the_processor_multiplies_bfloat16(
    step: str, dtype: torch.dtype, has_instructions: bool, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "runs_here", lambda: has_instructions)
    picked = pick_native_codec(Tuning(step=step), dtype, 1)  # type: ignore[arg-type]
    assert (picked is not None) is native
