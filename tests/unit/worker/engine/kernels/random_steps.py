"""Builds and runs the programs `random_steps.c` and `random_layers.c`, which draw models and layers by a seed."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from worker.engine.kernels.compile import SOURCES, CompileError, Compiler, compile_files, sources

SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1")


def build(program: Path, options: Sequence[str], compiler: Compiler | None = None) -> Path:
    """Compile the source of the program's name together with the library."""
    source = Path(__file__).with_name(f"{program.name}.c")
    compile_files(program, [*sources(), source], [*options, f"-I{SOURCES}"], compiler)
    return program


def build_with_sanitizers(program: Path) -> Path:
    """The program, which ends at the first wrong address and at the first undefined operation."""
    try:
        return build(program, SANITIZERS)
    except CompileError as error:
        if "asan" in str(error):
            pytest.skip("the compiler has no sanitizers")
        raise


def checksums(command: Sequence[str | Path], seed: int, times: int) -> dict[str, str]:
    """Run the program; a checksum of all outputs, by what made them, such as an instruction set."""
    done = subprocess.run([*command, str(seed), str(times)], capture_output=True, text=True, timeout=250, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(line.split() for line in done.stdout.splitlines())
