"""Compile the native library: `python -m worker.engine.kernels.compile` shows what the compiler says.

The build hook runs it at installation. It uses the standard library only.
"""

import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

FOLDER = Path(__file__).parent
SOURCES = FOLDER / "native"
LIBRARY = FOLDER / "musicgen_step.so"

# -ffp-contract=off: a fused multiply-add rounds once where two operations round twice, so that the numbers would depend
# on the instruction set.
FLAGS = (
    "-std=gnu11", "-O3", "-fPIC", "-pthread", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
    "-Wall", "-Wextra",
)  # fmt: skip
SETS: dict[str, dict[str, tuple[str, ...]]] = {
    "x86_64": {
        "step_avx512vnni": (
            "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni", "-mprefer-vector-width=512",
        ),
        "step_avxvnni": ("-mavx2", "-mavxvnni"),
        "step_avx2": ("-mavx2",),
        "codec_avx512bf16": (
            "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512bf16", "-mprefer-vector-width=512",
        ),
    },
    "aarch64": {"step_dotprod": ("-march=armv8.2-a+dotprod",)},
}  # fmt: skip
# This machine by its name in SETS, if it has one.
MACHINE = {"AMD64": "x86_64", "arm64": "aarch64", "ARM64": "aarch64"}.get(platform.machine(), platform.machine())
# zig's names of systems. The symbols of an old C library are in all newer ones.
ZIG_SYSTEMS = {"Linux": "linux-gnu.2.17", "Darwin": "macos", "Windows": "windows-gnu"}
SECONDS = 300


class CompileError(Exception):
    """No compiler was found, or it failed; the message has its output."""


class Compiler(NamedTuple):
    """A command, the machine that it compiles for, with its name in `SETS` if it is there, and options for linking."""

    command: tuple[str, ...]
    machine: str = MACHINE
    linking: tuple[str, ...] = ()


def find_compiler() -> Compiler | None:
    """A C compiler for this machine: $CC, the system's, or zig's if it is installed; None if there is none."""
    if os.environ.get("CC"):
        return Compiler(tuple(shlex.split(os.environ["CC"])))
    system = platform.system()
    for name in () if system == "Windows" else ("cc", "gcc", "clang"):
        if (path := shutil.which(name)) and _is_suitable(path):
            return Compiler((path,))
    return zig(system, MACHINE) if find_spec("ziglang") and system in ZIG_SYSTEMS else None


def zig(system: str, machine: str) -> Compiler:
    """The C compiler of the package `ziglang`, for one of `ZIG_SYSTEMS` and a machine.

    The target is always named, because zig otherwise uses all instructions of the processor that it runs on. On Linux
    the library is linked to the C library only: zig would spend minutes on a runtime that is not needed.
    """
    command = (sys.executable, "-m", "ziglang", "cc", "-target", f"{machine}-{ZIG_SYSTEMS[system]}")
    return Compiler(command, machine, ("-nostdlib", "-lc") if system == "Linux" else ())


def _is_suitable(path: str) -> bool:
    """Whether the compiler has the C library's headers and knows all instruction sets.

    Apple's `cc` has no headers before the developer tools are installed, and gcc 10 does not know AVX-VNNI.
    """
    flags = [flag for of_set in SETS.get(MACHINE, {}).values() for flag in of_set]
    command = [path, "-pthread", *flags, "-fsyntax-only", "-xc", "-"]
    done = subprocess.run(command, input="#include <pthread.h>\n", capture_output=True, text=True, check=False)
    return done.returncode == 0


def compile_library() -> None:
    """Compile the library, which replaces an earlier one when it is complete.

    Raises:
        CompileError: if there is no compiler, or it fails.
    """
    compile_files(LIBRARY, sources(), ["-shared"])


def compile_files(
    target: Path, files: Sequence[Path], options: Sequence[str], compiler: Compiler | None = None
) -> None:
    """Compile C files, each for its instruction set, and link them to `target`.

    Raises:
        CompileError: see `compile_library`.
    """
    compiler = compiler or find_compiler()
    if compiler is None:
        raise CompileError("There is no suitable C compiler: install gcc 11 or clang, or the package ziglang.")
    sets = SETS.get(compiler.machine, {})
    with TemporaryDirectory(dir=target.parent) as folder:
        objects = []
        for file in files:
            objects.append(f"{folder}/{file.stem}.o")
            _run([*compiler.command, *FLAGS, *sets.get(file.stem, ()), *options, "-c", str(file), "-o", objects[-1]])
        made = Path(folder) / target.name
        _run([*compiler.command, "-pthread", *options, *compiler.linking, "-o", str(made), *objects, "-lm"])
        made.replace(target)


def sources() -> list[Path]:
    """The C files of the library."""
    return sorted(SOURCES.glob("*.c"))


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CompileError(f"{shlex.join(command)}\n{error}") from error
    if done.returncode:
        raise CompileError(f"{shlex.join(command)}\n{done.stderr}")


if __name__ == "__main__":
    try:
        compile_library()
    except CompileError as error:
        sys.exit(str(error))
    print(f"compiled {LIBRARY}")
