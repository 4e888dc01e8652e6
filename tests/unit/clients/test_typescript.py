"""The tests of the TypeScript client pass in Node, and the shared vectors have its types."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.unit.clients.vectors import vectors

CLIENT = ROOT / "clients" / "typescript"
COMPILER = ROOT / "gateway" / "http" / "web" / "node_modules" / "typescript" / "bin" / "tsc"
# They have fields that this version does not know, or lack some that it always sends.
OTHER_VERSIONS = ("a later version", "an earlier version", "null where possible")


def node(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["node", *arguments], cwd=cwd, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=120
    )


def test_the_tests_in_node_pass() -> None:
    files = [str(file) for file in (CLIENT / "tests").glob("*.test.ts")]
    assert len(files) > 1
    done = node("--test", "--test-reporter=tap", *files, cwd=CLIENT)
    assert done.returncode == 0, done.stdout
    counted = sum(len(vectors(name)) for name in ("answers", "problems", "frames", "audio_chunks", "timestamps"))
    assert done.stdout.count("\nok ") > counted


def type_check(folder: Path, bodies: list[tuple[str, Any]]) -> str:
    """What the compiler says about constants of these types, with these JSON values."""
    names = sorted({kind for kind, _ in bodies})
    lines = [f'import type {{ {", ".join(names)} }} from "{CLIENT / "src" / "schema.d.ts"}";']
    lines += [f"export const v{n}: {kind} = {json.dumps(body)};" for n, (kind, body) in enumerate(bodies)]
    (folder / "vectors.ts").write_text("\n".join(lines))
    options = ("--strict", "--noEmit", "--target", "es2022", "--moduleResolution", "bundler")
    return node(str(COMPILER), *options, "--module", "esnext", "vectors.ts", cwd=folder).stdout


@pytest.mark.skipif(not COMPILER.is_file(), reason="needs the page's packages: run `just web`")
def test_the_vectors_have_the_generated_types(tmp_path: Path) -> None:
    bodies = [("GenerateRequest", each["body"]) for each in vectors("requests")]
    bodies += [(f"{each['route'].title()}Request", each["body"]) for each in vectors("children")]
    bodies += [
        (each["schema"], each["body"]) for each in vectors("answers") if not each["name"].startswith(OTHER_VERSIONS)
    ]
    bodies += [
        ("Event" if "seq" in each["frame"] else "ServerMessage", each["frame"])
        for each in vectors("frames")
        if not each["name"].startswith(OTHER_VERSIONS)
    ]
    assert type_check(tmp_path, bodies) == ""
    assert "TS2322" in type_check(tmp_path, [("GenerateRequest", {"prompt": 7})])
