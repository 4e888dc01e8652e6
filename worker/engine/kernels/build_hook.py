"""hatchling's hook: compiles the native library when the project is installed. See `compile.py`.

If compiling fails, the installation still succeeds: the engine then runs its steps in PyTorch, and `musicgen doctor`
tells the remedy.
"""

import importlib.util
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# A C compiler for all systems, as a wheel.
ZIG = "ziglang>=0.15,<0.18"


def _compile_module() -> ModuleType:
    """`compile.py` next to this file: while the project is built, its packages cannot be imported."""
    path = Path(__file__).with_name("compile.py")
    spec = importlib.util.spec_from_file_location("musicgen_compile", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class NativeStepHook(BuildHookInterface):  # type: ignore[misc]
    """Adds the library to the wheel; an editable installation finds it in the source tree."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """A C compiler from PyPI, if the system has none that suits. Else its 100 MB are not downloaded."""
        return [] if _compile_module().find_compiler() else [ZIG]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        compiling = _compile_module()
        try:
            compiling.compile_library()
        except (compiling.CompileError, OSError) as error:
            compiling.LIBRARY.unlink(missing_ok=True)  # an older one does not suit the sources
            print(f"The native step was not compiled; steps run in PyTorch, more slowly. {error}", file=sys.stderr)
            return
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data.update(pure_python=False, tag=f"py3-none-{platform}")
        build_data["artifacts"].append(str(compiling.LIBRARY.relative_to(self.root)))
