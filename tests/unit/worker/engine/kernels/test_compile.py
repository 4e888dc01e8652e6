"""The native library is compiled at installation, and is missed politely."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.engine.kernels import compile as compiling
from worker.engine.kernels import native_library
from worker.engine.kernels.compile import CompileError, compile_files, compile_library, find_compiler, sources
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
    with pytest.raises(CompileError, match="install gcc or clang"):
        compile_files(tmp_path / "program", [], [])
    monkeypatch.setenv("CC", str(tmp_path / "cc"))
    with pytest.raises(CompileError, match="No such file"):
        compile_files(tmp_path / "program", sources()[:1], [])


def test_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_library, "LIBRARY", tmp_path / "absent.so")
    with pytest.raises(NativeStepError, match="not compiled"):
        instruction_sets()


def test_library_of_another_machine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(__file__, tmp_path / "other.so")
    monkeypatch.setattr(native_library, "LIBRARY", tmp_path / "other.so")
    with pytest.raises(NativeStepError, match="cannot be loaded"):
        instruction_sets()
