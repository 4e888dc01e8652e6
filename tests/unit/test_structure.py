"""Rules of the code's structure: sizes, and names that stand for one idea only."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("gateway", "worker", "shared", "deploy")
MAX_LINES = 350
MAX_FUNCTION_LINES = 50
# The same idea in two places: two codecs, two readers of tensors, two formats of a codec.
SHARED_MODULE_NAMES = {"codec", "weights"}
SHARED_CLASS_NAMES = {"_Configuration"}


def modules(package: str) -> list[Path]:
    return [file for file in sorted((ROOT / package).rglob("*.py")) if file.name != "__init__.py"]


def nodes(kind: type[ast.AST]) -> Iterator[tuple[Path, ast.AST]]:
    for package in PACKAGES:
        for file in modules(package):
            yield from ((file, node) for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, kind))


def repeated(places: dict[str, list[str]], allowed: set[str]) -> dict[str, list[str]]:
    return {name: found for name, found in places.items() if len(found) > 1 and name not in allowed}


@pytest.mark.parametrize("package", PACKAGES)
def test_module_names_are_unique_within_a_package(package: str) -> None:
    places = defaultdict(list)
    for file in modules(package):
        places[file.stem].append(str(file.relative_to(ROOT)))
    assert len(places) > 10
    assert repeated(places, SHARED_MODULE_NAMES) == {}


def test_class_names_are_unique() -> None:
    places = defaultdict(list)
    for file, node in nodes(ast.ClassDef):
        assert isinstance(node, ast.ClassDef)
        places[node.name].append(str(file.relative_to(ROOT)))
    assert len(places) > 100
    assert repeated(places, SHARED_CLASS_NAMES) == {}


def test_no_file_is_too_long() -> None:
    lengths = {file: file.read_text().count("\n") for package in (*PACKAGES, "clients") for file in modules(package)}
    assert len(lengths) > 100
    assert {str(file): length for file, length in lengths.items() if length > MAX_LINES} == {}


def test_no_function_is_too_long() -> None:
    functions = [
        (f"{file.relative_to(ROOT)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for kind in (ast.FunctionDef, ast.AsyncFunctionDef)
        for file, node in nodes(kind)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert len(functions) > 1000
    assert [each for each in functions if each[1] > MAX_FUNCTION_LINES] == []
