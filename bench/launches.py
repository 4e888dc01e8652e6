"""Launches of a step, and kernels compiled without a GPU, at any size: nothing is computed and no weights are made.

`uv run python -m bench.launches [--model small] [--requests 1]` prints the launches of a step, and what each kernel
needs on three generations of GPUs.

All tensors are on PyTorch's meta device, and Triton's launches are recorded instead of made. An operator of PyTorch
counts as one launch unless it only makes a view or allocates; some launch several kernels, so its number is a minimum.
"""

import argparse
import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
import triton
from torch.utils._python_dispatch import TorchDispatchMode
from triton.backends.compiler import GPUTarget
from triton.runtime.jit import JITFunction

from bench.arguments import positive_int
from bench.sizes import CODEBOOKS, SIZES, Size, configuration, language_model_weights
from worker.engine.batching.attention import StepAttention
from worker.engine.batching.attention_kernel import TritonAttention
from worker.engine.batching.decoder import Decoder
from worker.engine.batching.fused_model import FusedDecoder
from worker.engine.batching.language_model import LanguageModel
from worker.engine.batching.linear import Precision

META = torch.device("meta")
# Compute capabilities: A100; H100 and H200; RTX 50.
ARCHITECTURES = (80, 90, 120)
# The most shared memory of a program in bytes (CUDA C++ programming guide, technical specifications per capability).
SHARED_MEMORY = {80: 163 * 1024, 90: 227 * 1024, 120: 99 * 1024}
# Frames of a window of 30 seconds.
WINDOW = 1500
CUOBJDUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
_ALLOCATES = {"empty", "empty_strided", "empty_like", "new_empty", "_unsafe_view", "detach", "lift_fresh"}


class Launch(NamedTuple):
    """A recorded launch of a Triton kernel."""

    kernel: JITFunction[Any]
    grid: tuple[int, ...]
    arguments: tuple[Any, ...]
    options: dict[str, Any]

    @property
    def variant(self) -> tuple[object, ...]:
        """What Triton compiles separately, and a little more."""
        kinds = tuple(each.dtype if isinstance(each, torch.Tensor) else each for each in self.arguments)
        return (self.kernel.__name__, kinds, tuple(sorted(self.options.items())))


class Resources(NamedTuple):
    """What a compiled kernel needs: registers per thread, bytes of them spilled to memory, bytes of shared memory."""

    kernel: str
    architecture: int
    registers: int
    spilled: int
    shared: int


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operators that compute."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not (func.is_view or func.overloadpacket.__name__ in _ALLOCATES)
        return func(*args, **(kwargs or {}))


class _AheadDriver:
    """Stands for a GPU that is not there, as far as the compiler asks."""

    def __init__(self, architecture: int) -> None:
        self._architecture = architecture

    def get_current_device(self) -> int:
        return self._architecture  # Triton keeps compiled kernels by device

    def get_current_stream(self, device: int) -> int:
        return 0

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", self._architecture, 32)


def record_step(
    kind: type[Decoder],
    size: Size,
    requests: int,
    attention: StepAttention | None = None,
    precision: Precision = "float16",
) -> tuple[list[Launch], int]:
    """The launches of Triton kernels in a step with guidance, and the number of PyTorch's operators."""
    config = configuration(size)
    with torch.device(META):
        weights = dict(language_model_weights(size, text_dim=1))
    model = LanguageModel(config, weights, precision, META, attention or TritonAttention(), WINDOW + CODEBOOKS)
    decoder = kind(model, requests, WINDOW)
    slots = torch.zeros(requests, dtype=torch.int64, device=META)
    operators = _Operators()
    with torch.inference_mode(), recorded() as launches, operators:
        decoder.step(slots, 2)
    return launches, operators.count


@contextmanager
def recorded() -> Iterator[list[Launch]]:
    """Record the launches of Triton kernels instead of making them."""
    launches: list[Launch] = []

    def run(kernel: JITFunction[Any], *arguments: Any, grid: tuple[int, ...], warmup: bool, **options: Any) -> None:
        launches.append(Launch(kernel, grid, arguments, options))

    with patch.object(JITFunction, "run", run):
        yield launches


def compile_ahead(launches: Sequence[Launch], architecture: int) -> list[Resources]:
    """Compile every variant of the recorded kernels for a GPU of this compute capability.

    Raises:
        triton.compiler.errors.CompilationError, subprocess.CalledProcessError: if one does not compile.
    """
    variants = {launch.variant: launch for launch in launches}
    with patch.object(triton.runtime.driver, "_active", _AheadDriver(architecture)):
        return [_compile(launch, architecture) for launch in variants.values()]


def _compile(launch: Launch, architecture: int) -> Resources:
    compiled = launch.kernel.run(*launch.arguments, grid=launch.grid, warmup=True, **launch.options)
    with TemporaryDirectory() as folder:
        file = Path(folder, "kernel.cubin")
        file.write_bytes(compiled.asm["cubin"])
        told = subprocess.run(
            [CUOBJDUMP, "--dump-resource-usage", file], check=True, capture_output=True, text=True
        ).stdout
    numbers = dict(re.findall(r"(REG|STACK|SHARED|LOCAL):(\d+)", told))
    spilled = int(numbers["STACK"]) + int(numbers["LOCAL"])
    switches = [
        str(launch.options[name]).lower() for name in ("SOURCE", "NORM", "GELU", "ADD") if name in launch.options
    ]
    name = " ".join([launch.kernel.__name__, *switches])
    return Resources(name, architecture, int(numbers["REG"]), spilled, compiled.metadata.shared)


def main(arguments: Sequence[str] | None = None) -> None:
    """Count, compile and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.launches", description=__doc__)
    parser.add_argument("--model", choices=SIZES, default="small", help="(default: small)")
    parser.add_argument("--requests", type=positive_int, default=1, help="at once (default: 1)")
    options = parser.parse_args(arguments)
    size = SIZES[options.model]
    for kind in (Decoder, FusedDecoder):
        launches, operators = record_step(kind, size, options.requests)
        print(f"{kind.__name__}: {len(launches)} of Triton, {operators} of PyTorch")
    for architecture in ARCHITECTURES:
        for each in compile_ahead(launches, architecture):
            needs = f"{each.registers} registers, {each.spilled} bytes spilled, {each.shared} bytes shared"
            print(f"sm_{architecture}: {each.kernel}: {needs}", flush=True)


if __name__ == "__main__":
    main()
