"""The programs in the READMEs of the clients run against a real gateway."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.documents import blocks
from tests.integration.system import System

README = ROOT / "clients" / "python" / "README.md"
TYPESCRIPT = ROOT / "clients" / "typescript"
TOOLS = ROOT / "gateway" / "http" / "web" / "node_modules" / ".bin"
SCRIPTS = Path(sys.executable).parent
SCORING = {"MUSICGEN_ENGINE": "tests.engines:load_scoring"}


async def test_programs_for_python_run(system: System, tmp_path: Path) -> None:
    api, _ = await system.gateway(), await system.worker(**SCORING)
    environment = {**os.environ, "MUSICGEN_URL": api.url, "PYTHONPATH": str(README.parent)}
    printed = []
    for block in blocks(README):
        assert block.language == "python"
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-W", "error", "-c", block.text],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        printed.append(done.stdout.splitlines())
    first, second = printed
    assert first[-2].startswith("100% ")
    assert "124.0 A minor" in first[-1]
    assert (tmp_path / "house.wav").read_bytes().startswith(b"RIFF")
    assert second[0].startswith("0 32000 ")
    assert "['bass.wav']" in second[-2]
    assert "duration" in second[-1]


def run(*command: str, cwd: Path, **environment: str) -> str:
    """Run a program of Node with the page's compiler, and return what it prints."""
    path = os.pathsep.join((str(SCRIPTS), str(TOOLS), os.environ["PATH"]))
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, "PATH": path, **environment}, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the packed client installed, and nothing else."""
    if not TOOLS.is_dir():
        pytest.skip("needs the page's packages: run `just web`")
    sources, folder = tmp_path_factory.mktemp("sources") / "typescript", tmp_path_factory.mktemp("folder")
    shutil.copytree(TYPESCRIPT, sources, ignore=shutil.ignore_patterns("node_modules", "dist"))
    packed = run("npm", "pack", "--silent", "--pack-destination", str(folder), cwd=sources).split()[-1]
    run("npm", "install", "--offline", "--no-audit", "--silent", f"./{packed}", cwd=folder)
    return folder


def test_the_package_for_typescript_holds_compiled_code_and_types_alone(folder: Path) -> None:
    package = folder / "node_modules" / "@tellurstori" / "musicgen"
    modules = {file.name.removesuffix(".ts") for file in (TYPESCRIPT / "src").glob("*.ts") if "schema" not in file.name}
    compiled = {f"dist/{name}{ending}" for name in modules for ending in (".js", ".d.ts")}
    found = {file.relative_to(package).as_posix() for file in package.rglob("*") if file.is_file()}
    assert found == compiled | {"dist/schema.d.ts", "package.json", "README.md"}


async def test_programs_for_typescript_run_and_have_the_right_types(system: System, folder: Path) -> None:
    api, _ = await system.gateway(), await system.worker(**SCORING)
    printed, files = [], []
    for number, block in enumerate(each for each in blocks(TYPESCRIPT / "README.md") if each.language == "typescript"):
        files.append(f"program{number}.mts")
        (folder / files[-1]).write_text(block.text)
        output = await asyncio.to_thread(run, "node", files[-1], cwd=folder, MUSICGEN_URL=api.url)
        printed.append(output.splitlines())
    first, second = printed
    assert first[-2].startswith("100% ")
    assert first[-1].endswith(" 124 A minor")
    assert (folder / "house.wav").read_bytes().startswith(b"RIFF")
    assert "0 32000 1" in second
    assert [line.split()[0] for line in second if line.split()[-1].isdigit()][-3:] == [
        "audio.mid",
        "bass.wav",
        "bundle",
    ]
    assert "field: 'duration'" in "".join(second)
    # Node's own types are not installed here.
    (folder / "node.d.ts").write_text(
        "declare const process: { env: Record<string, string | undefined> };"
        'declare module "node:fs/promises" { function writeFile(path: string, data: Uint8Array): Promise<void>; }'
    )
    options = ("--strict", "--noEmit", "--target", "es2022", "--module", "nodenext", "--lib", "es2023,dom,dom.iterable")
    run("tsc", *options, "node.d.ts", *files, cwd=folder)
