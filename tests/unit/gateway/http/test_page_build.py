"""The built web page and the generated types of the TypeScript client are up to date with their sources."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from gateway.http.openapi import make_document
from tests.conftest import ROOT

WEB = ROOT / "gateway" / "http" / "web"
STATIC = ROOT / "gateway" / "http" / "static"
CLIENT = ROOT / "clients" / "typescript"
NOT_SOURCES = re.compile(r"(node_modules|dist|tests|README\.md|.+\.d\.ts)")
# Compressed, as browsers load it.
MOST_BYTES = 120_000
REMEDY = "The page is older than its sources: run `just web`."

needs_packages = pytest.mark.skipif(
    not (WEB / "node_modules").is_dir(), reason="needs the page's packages: run `just web`"
)


def sources(folder: Path) -> list[Path]:
    found = []
    for path in folder.iterdir():
        if not NOT_SOURCES.fullmatch(path.name):
            found += sources(path) if path.is_dir() else [path]
    return found


def node(*arguments: str, stdin: bytes = b"") -> None:
    """Run a program with the Node of the environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["node", *arguments], cwd=WEB, env=os.environ | {"PATH": path}, input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def test_the_page_was_built_from_its_present_sources() -> None:
    digest = hashlib.sha256()
    for name in sorted(file.relative_to(ROOT).as_posix() for file in [*sources(WEB), *sources(CLIENT)]):
        digest.update(f"{name}\0".encode() + (ROOT / name).read_bytes() + b"\0")
    assert (STATIC / "sources.sha256").read_text().strip() == digest.hexdigest(), REMEDY


@needs_packages
def test_a_build_gives_the_same_bytes(tmp_path: Path) -> None:
    node("node_modules/vite/bin/vite.js", "build", "--outDir", str(tmp_path))
    built = {file.relative_to(tmp_path): file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert len(built) == 7
    assert built == {file: (STATIC / file).read_bytes() for file in built}, REMEDY


@needs_packages
@pytest.mark.parametrize("name", ["studio.js", "studio.css"])
def test_the_brotli_form_of_a_file_is_that_file(tmp_path: Path, name: str) -> None:
    """Decompressed by Node, because Python's library cannot."""
    file = STATIC / "assets" / name
    script = "const [from, to] = process.argv.slice(1); const fs = require('fs');"
    script += "fs.writeFileSync(to, require('zlib').brotliDecompressSync(fs.readFileSync(from)))"
    node("-e", script, f"{file}.br", str(tmp_path / name))
    assert (tmp_path / name).read_bytes() == file.read_bytes(), REMEDY


@needs_packages
def test_the_clients_types_are_those_of_the_gateways_document(tmp_path: Path) -> None:
    generated = tmp_path / "schema.d.ts"
    node("tools/generate-types.mjs", str(generated), stdin=msgspec.json.encode(make_document()))
    assert generated.read_text() == (CLIENT / "src" / "schema.d.ts").read_text(), (
        "The types of the TypeScript client are older than the API: run `just web`."
    )


def test_the_page_has_no_inline_code_and_loads_nothing_from_elsewhere() -> None:
    page = (STATIC / "index.html").read_text()
    assert re.findall(r"<(?:script|style)[^>]*>[^<]", page) == []
    assert "style=" not in page
    assert set(re.findall(r'(?:src|href)="([^"]*)"', page.replace("data:", ""))) >= {"/assets/studio.js"}
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []


def test_the_licences_of_the_pages_packages_are_listed() -> None:
    packages = msgspec.json.decode((WEB / "package.json").read_bytes())["dependencies"]
    licences = (STATIC / "assets" / "licences.txt").read_text()
    assert all(f"{name} " in licences for name in packages)
    assert "Permission is hereby granted" in licences
