"""The native library is compiled at installation, and is missed politely."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from worker.engine.kernels import compile as compiling
from worker.engine.kernels import native_library
from worker.engine.kernels.build_hook import ZIG, NativeStepHook
from worker.engine.kernels.compile import (
    MACHINE,
    SETS,
    CompileError,
    Compiler,
    compile_files,
    compile_library,
    find_compiler,
    sources,
)
from worker.engine.kernels.native_library import NativeStepError, instruction_sets, load_library


@pytest.fixture(autouse=True)
def _load_again() -> Iterator[None]:
    load_library.cache_clear()
    yield
    load_library.cache_clear()


def test_compiled_library_replaces_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "musicgen_step.so"
    library.write_text("old")
    monkeypatch.setattr(compiling, "LIBRARY", library)
    monkeypatch.setattr(compiling, "FLAGS", (*compiling.FLAGS, "-O0"))
    monkeypatch.setattr(native_library, "LIBRARY", library)
    compile_library()
    assert instruction_sets()[-1] == "portable"
    assert list(tmp_path.iterdir()) == [library]


def test_failed_compilation_shows_what_the_compiler_says(tmp_path: Path) -> None:
    broken = tmp_path / "broken.c"
    broken.write_text("int main(void) { return missing_name; }")
    with pytest.raises(CompileError, match="missing_name"):
        compile_files(tmp_path / "program", [broken], [])
    assert list(tmp_path.iterdir()) == [broken]


def test_missing_compiler_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_compiler() is None
    with pytest.raises(CompileError, match="install gcc 11 or clang"):
        compile_files(tmp_path / "program", [], [])
    monkeypatch.setenv("CC", str(tmp_path / "cc"))
    with pytest.raises(CompileError, match="No such file"):
        compile_files(tmp_path / "program", sources()[:1], [])


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Make a script of this text the only program on the PATH, named `cc`."""

    def replace(script: str) -> Path:
        compiler = tmp_path / "cc"
        compiler.write_text(f"#!/bin/sh\n{script}\n")
        compiler.chmod(0o755)
        monkeypatch.delenv("CC", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        return compiler

    return replace


def test_compiler_without_headers_or_too_old_is_passed_over(only: Callable[[str], Path]) -> None:
    only("echo 'pthread.h: No such file or directory' >&2; exit 1")
    assert find_compiler() is None


def test_compiler_is_asked_for_every_instruction_set(only: Callable[[str], Path], tmp_path: Path) -> None:
    compiler = only(f'echo "$@" >{tmp_path}/arguments')
    assert find_compiler() == Compiler((str(compiler),))
    wanted = {flag for flags in SETS.get(MACHINE, {}).values() for flag in flags}
    assert wanted <= set((tmp_path / "arguments").read_text().split())


def test_zig_is_fetched_only_where_no_compiler_suits(only: Callable[[str], Path]) -> None:
    hook = NativeStepHook(str(ROOT), {}, None, None, "", "wheel")
    only("exit 0")
    assert hook.dependencies() == []
    only("exit 1")
    assert hook.dependencies() == [ZIG]


def test_installed_zig_compiles_for_this_machine_but_not_for_this_very_processor(
    only: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    only("exit 1")
    monkeypatch.setattr(compiling, "find_spec", lambda name: name == "ziglang")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    found = find_compiler()
    assert found is not None
    assert found.command[1:] == ("-m", "ziglang", "cc", "-target", f"{MACHINE}-linux-gnu.2.17")
    assert found.linking == ("-nostdlib", "-lc")


def test_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_library, "LIBRARY", tmp_path / "absent.so")
    with pytest.raises(NativeStepError, match="not compiled"):
        instruction_sets()


def test_library_of_another_machine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(__file__, tmp_path / "other.so")
    monkeypatch.setattr(native_library, "LIBRARY", tmp_path / "other.so")
    with pytest.raises(NativeStepError, match="cannot be loaded"):
        instruction_sets()
