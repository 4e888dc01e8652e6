"""Fused steps: equal to PyTorch's in Triton's interpreter, few launches, and compiled without spills for three GPUs."""

import os
import subprocess
import sys

import pytest

from bench.sizes import SIZES
from worker.engine.batching.decoder import Decoder

pytest.importorskip("triton")

from bench.launches import ARCHITECTURES, SHARED_MEMORY, compile_ahead, record_step
from worker.engine.batching.fused_model import FusedDecoder


def test_fused_steps_equal_those_in_pytorch() -> None:
    # Triton reads TRITON_INTERPRET at import.
    cases = [sys.executable, "-m", "tests.unit.worker.engine.batching.fused_cases"]
    subprocess.run(cases, check=True, env=os.environ | {"TRITON_INTERPRET": "1"}, timeout=280)


@pytest.mark.parametrize("model", SIZES)
@pytest.mark.parametrize("requests", [1, 64])
def test_step_takes_seven_launches_per_layer_and_two(model: str, requests: int) -> None:
    launches, operators = record_step(FusedDecoder, SIZES[model], requests)
    assert len(launches) == 7 * SIZES[model].layers + 2
    assert operators == 0


def test_step_of_small_takes_at_most_170_launches() -> None:
    launches, operators = record_step(FusedDecoder, SIZES["small"], 1)
    assert len(launches) + operators <= 170
    launches, operators = record_step(Decoder, SIZES["small"], 1)
    assert operators > 170, "operators of PyTorch are not counted"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("requests", [1, 64])
def test_kernels_compile_without_spills(requests: int, architecture: int) -> None:
    launches, _ = record_step(FusedDecoder, SIZES["small"], requests)
    kernels = compile_ahead(launches, architecture)
    assert len(kernels) >= 8
    assert [kernel for kernel in kernels if kernel.spilled] == []
    assert [kernel for kernel in kernels if kernel.shared > SHARED_MEMORY[architecture]] == []
