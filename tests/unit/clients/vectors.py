"""Reads the vectors that the tests of every client share."""

import json
from typing import Any

from tests.conftest import ROOT


def vectors(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((ROOT / "clients" / "vectors" / f"{name}.json").read_text())
    assert found
    return found


def name_of(vector: dict[str, Any]) -> str:
    return str(vector.get("name") or vector.get("text"))
