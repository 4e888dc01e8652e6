"""Builds and runs `random_steps.c`, which compares rows alone and in company, with every instruction set."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from worker.engine.kernels.compile import SOURCES, CompileError, Compiler, compile_files, sources

PROGRAM = Path(__file__).with_name("random_steps.c")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1")


def build(program: Path, options: Sequence[str], compiler: Compiler | None = None) -> Path:
    """Compile the program together with the library."""
    compile_files(program, [*sources(), PROGRAM], [*options, f"-I{SOURCES}"], compiler)
    return program


def build_with_sanitizers(program: Path) -> Path:
    """The program, which ends at the first wrong address and at the first undefined operation."""
    try:
        return build(program, SANITIZERS)
    except CompileError as error:
        if "asan" in str(error):
            pytest.skip("the compiler has no sanitizers")
        raise


def checksums(command: Sequence[str | Path], seed: int, models: int) -> dict[str, str]:
    """Run the program; a checksum of all logits for each instruction set."""
    done = subprocess.run([*command, str(seed), str(models)], capture_output=True, text=True, timeout=250, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(line.split() for line in done.stdout.splitlines())
