"""The Swift client, read by a parser: for machines without a Swift compiler.

tests/integration/test_swift_client.py compiles and runs it where there is one.
"""

import re
from pathlib import Path

import msgspec
import pytest
import tree_sitter_swift
from musicgen_client.requests import Components, GenerateFields
from tree_sitter import Language, Node, Parser

from gateway.schemas import ScoreRequest
from shared.audio_conditions import AudioConditions, AudioSource
from tests.conftest import ROOT
from tests.documents import DOCUMENTS, blocks
from tests.unit.clients.vectors import vectors

PACKAGE = ROOT / "clients" / "swift"
FILES = sorted(file for file in PACKAGE.rglob("*.swift") if ".build" not in file.parts)
EXAMPLES = [(document, block.text) for document in DOCUMENTS for block in blocks(document) if block.language == "swift"]
MAX_LINES = 350
PARSER = Parser(Language(tree_sitter_swift.language()))


def parsed(text: str) -> Node:
    return PARSER.parse(text.encode()).root_node


def name(value: object) -> str:
    return value.name if isinstance(value, Path) else ""


@pytest.mark.parametrize("file", FILES, ids=name)
def test_every_file_is_swift_and_short(file: Path) -> None:
    text = file.read_text()
    assert not parsed(text).has_error
    assert text.count("\n") <= MAX_LINES


@pytest.mark.parametrize(("document", "text"), EXAMPLES, ids=name)
def test_every_example_is_swift(document: Path, text: str) -> None:
    assert not parsed(text).has_error, document


def test_the_parser_finds_errors() -> None:
    assert len(FILES) > 10
    assert len(EXAMPLES) > 2
    assert parsed("let x = = 1").has_error


def json_names(struct: str, file: str = "GenerationRequest") -> set[str]:
    """The names in JSON of a struct's fields."""
    text = (PACKAGE / "Sources" / "MusicGenClient" / f"{file}.swift").read_text()
    body = re.split(r"^public struct ", text, flags=re.MULTILINE)
    (found,) = (each for each in body if each.startswith(struct))
    keys = found.split("enum CodingKeys", 1)[1].split("}", 1)[0]
    renamed = re.findall(r'= "(\w+)"', keys)
    plain = [key for line in re.findall(r"case ([^=\n]+)$", keys, re.MULTILINE) for key in line.split(", ")]
    return {*renamed, *plain}


def test_requests_have_fields_of_the_python_client() -> None:
    """A field that the package lacks can be sent with `generateMusic(recipe:)`, so none must be there."""
    assert json_names("GenerationRequest") <= {"prompt", *GenerateFields.__annotations__}
    assert json_names("PromptComponents") <= set(Components.__annotations__)
    assert json_names("AudioConditions") <= {field.encode_name for field in msgspec.structs.fields(AudioConditions)}
    assert json_names("ScoreSource") <= {field.encode_name for field in msgspec.structs.fields(ScoreRequest)}
    assert json_names("AudioSource") <= {field.encode_name for field in msgspec.structs.fields(AudioSource)}


def test_requests_have_every_field_of_the_vectors() -> None:
    assert {name for vector in vectors("requests") for name in vector["body"]} <= json_names("GenerationRequest")
    for vector in vectors("children"):
        assert set(vector["body"]) <= json_names(f"{vector['route'].title()}Request", "Children")
