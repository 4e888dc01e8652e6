"""The Swift client is compiled, its tests run against a real gateway, and so do the programs of its README."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.documents import blocks
from tests.integration.system import System
from tests.integration.test_outputs import with_model
from tests.sampler_checkpoint import write_sampler_checkpoint

PACKAGE = ROOT / "clients" / "swift"
README = PACKAGE / "README.md"
CLONE = "../tellurstori-musicgen/clients/swift"
# A first build takes a minute of two cores.
BUILD_TIMEOUT = 900

pytestmark = [
    pytest.mark.skipif(shutil.which("swift") is None, reason="swift is not installed: https://www.swift.org/install"),
    pytest.mark.timeout(2 * BUILD_TIMEOUT),
]


async def swift(*arguments: str, folder: Path, url: str = "") -> str:
    """Run the compiler's driver, and return what it printed."""
    process = await asyncio.create_subprocess_exec(
        "swift",
        *arguments,
        cwd=folder,
        env={**os.environ, "MUSICGEN_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), BUILD_TIMEOUT)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    text = printed.decode()
    assert process.returncode == 0, text
    return text


async def started(system: System, folder: Path) -> str:
    """The URL of a gateway whose worker writes scores."""
    model = with_model(write_sampler_checkpoint(folder / "tiny"))
    api, _ = await system.gateway(**model), await system.worker(**model)
    return api.url


async def test_package_compiles_without_warnings_and_its_tests_pass(system: System, tmp_path: Path) -> None:
    url = await started(system, tmp_path)
    (command,) = (block.text.split() for block in blocks(README) if block.language == "sh")
    await swift("build", "--build-tests", "-Xswiftc", "-warnings-as-errors", folder=PACKAGE)
    printed = await swift(*command[1:], "-Xswiftc", "-warnings-as-errors", folder=ROOT, url=url)
    assert "with 0 failures" in printed
    assert "skipped" not in printed


async def test_programs_of_the_readme_run(system: System, tmp_path: Path) -> None:
    url = await started(system, tmp_path)
    manifest, *programs = (block.text for block in blocks(README) if block.language == "swift")
    assert CLONE in manifest
    outputs = []
    for number, program in enumerate(programs):
        folder = tmp_path / "FirstSound"
        (folder / "Sources").mkdir(parents=True, exist_ok=True)
        (folder / "Package.swift").write_text(manifest.replace(CLONE, str(PACKAGE)))
        (folder / "Sources" / "main.swift").write_text(program)
        outputs.append((await swift("run", "--quiet", folder=folder, url=url)).splitlines())
        assert number or (folder / "house.wav").read_bytes().startswith(b"RIFF")
    first, second = outputs
    assert first[-2].startswith("100% ")
    assert first[-1].endswith("124.0 A minor")
    assert second[-2].startswith("saved ")
    assert second[-1].startswith("invalid duration ")
