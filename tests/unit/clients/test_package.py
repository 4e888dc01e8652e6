"""The Python client is a small package of its own."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.conftest import ROOT

PACKAGE = ROOT / "clients" / "python"


def test_the_client_imports_aiohttp_alone() -> None:
    modules = set()
    for file in (PACKAGE / "musicgen_client").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add((node.module or "").split(".")[0])
    # yarl is aiohttp's own type of URLs.
    assert modules - sys.stdlib_module_names == {"musicgen_client", "aiohttp", "yarl"}


def test_the_wheel_has_every_module_and_says_that_it_is_typed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    done = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("musicgen_client/")}
    assert names == {f"musicgen_client/{file.name}" for file in (PACKAGE / "musicgen_client").glob("*.*")}
    assert "musicgen_client/py.typed" in names
    assert wheel.stat().st_size < 100_000
