"""The documents are right: links lead somewhere, tables are complete, and commands run or say why they do not."""

import re
from pathlib import Path

import msgspec
import pytest

from shared.models import MODEL_NAMES
from shared.settings import Settings
from tests.conftest import ROOT
from tests.documents import DOCUMENTS, EXECUTED, PROGRAMS, anchors, blocks, links, section
from tests.e2e.stack import musicgen

README = ROOT / "README.md"
CONFIGURATION = ROOT / "docs" / "configuration.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
DATA = ("json", "mermaid", "conf", "text", "yaml")
# A path of the repository in backticks, with at least one folder.
PATH = re.compile(r"`((?:gateway|worker|shared|deploy|tests|bench|training|docs)/[\w./-]+)`")


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_block_names_its_language(document: Path) -> None:
    fences = re.findall(r"^ *```(.*)$", document.read_text(), re.MULTILINE)
    assert set(fences[::2]) <= {*PROGRAMS, *DATA}
    assert len(fences) == 2 * len(blocks(document))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_command_is_run_or_says_why_not(document: Path) -> None:
    for block in blocks(document):
        if not block.is_program:
            continue
        kind, _, what = block.mark.partition(" by " if block.mark.startswith("run by ") else ": ")
        if kind == "run":
            assert document.name in (ROOT / what).read_text(), f"{what} does not run {document.name}"
        elif kind == "not run":
            assert what, block
        else:
            assert document in EXECUTED, f"needs a mark, <!-- not run: WHY --> or <!-- run by TEST -->:\n{block.text}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for path, fragment in links(document):
        target = document.parent / path if path else document
        assert target.exists(), path
        assert not fragment or fragment in anchors(target), f"{path}#{fragment}"


@pytest.mark.parametrize("document", [each for each in DOCUMENTS if each.name != "CHANGELOG.md"], ids=name)
def test_every_file_that_is_named_exists(document: Path) -> None:
    assert [path for path in PATH.findall(document.read_text()) if not (ROOT / path).exists()] == []


def test_readme_is_short_and_maps_every_document() -> None:
    assert len(README.read_text().splitlines()) <= 150
    mapped = {(ROOT / path).resolve() for path, _ in links(README)}
    assert set(DOCUMENTS) - {README} <= mapped


def test_path_of_a_request_is_at_most_27_files() -> None:
    marked = ARCHITECTURE.read_text().split("<!-- request path -->")[1].split("<!-- end of request path -->")[0]
    entries = re.findall(r"^\d+\. `([\w./]+)`", marked, re.MULTILINE)
    assert 1 <= len(entries) <= 27
    assert len(entries) == len(re.findall(r"^\d+\.", marked, re.MULTILINE))
    assert entries == re.findall(r"`(\w+/[\w./]+)`", marked)  # no further file hides in a sentence
    assert [path for path in entries if not (ROOT / path).is_file()] == []


def test_every_file_of_the_engine_that_is_named_exists() -> None:
    named = set(re.findall(r"`([a-z_0-9]+[.]py)`", (ROOT / "docs" / "engine.md").read_text()))
    assert len(named) > 10
    rooms = ("engine", "production")
    assert named - {file.name for room in rooms for file in (ROOT / "worker" / room).rglob("*.py")} == set()


def test_settings_table_names_every_setting_with_its_default() -> None:
    table = section(CONFIGURATION, "Settings")
    rows = dict(re.findall(r"^\| `([A-Z0-9_]+)` \| ?`?([^|`]*?)`? ?\|", table, re.MULTILINE))
    defaults = {field.encode_name: field.default for field in msgspec.structs.fields(Settings)}
    shown = {
        variable: "" if default is None else f"{default:g}" if isinstance(default, float) else str(default)
        for variable, default in defaults.items()
    }
    assert rows == shown


def test_models_table_names_every_model() -> None:
    table = section(CONFIGURATION, "Models")
    assert [model for model in MODEL_NAMES if f"`{model.removeprefix('stereo-')}`" not in table] == []


def test_commands_table_names_every_command() -> None:
    shown = musicgen("--help").stdout
    (commands,) = re.findall(r"^  COMMAND\n(.*)", shown, re.DOTALL | re.MULTILINE) or [shown]
    names = re.findall(r"^    (\w+)", commands, re.MULTILINE)
    clients = {"generate", "replace", "extend", "vary", "download", "jobs", "cancel"}
    clients |= {"play", "orchestrate", "accompany", "continue"}
    assert set(names) == {"up", "gateway", "worker", "env", "doctor", "admin", "drain", "undrain"} | clients
    assert all(f"`musicgen {command}" in section(README, "From the command line") for command in names)
