"""The tests that docs/reliability.md names for its promises exist."""

import re

from tests.conftest import ROOT


def test_every_promise_names_existing_tests() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "reliability.md").read_text()))
    files = [file.read_text() for file in (ROOT / "tests").rglob("test_*.py")]
    there = {name for text in files for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)}
    assert len(named) > 20
    assert named - there == set()


def test_every_promise_names_existing_test_files() -> None:
    named = set(re.findall(r"`(test_\w+\.py)`", (ROOT / "docs" / "reliability.md").read_text()))
    assert named - {file.name for file in (ROOT / "tests").rglob("test_*.py")} == set()
