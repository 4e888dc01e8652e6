"""The vectors of the clients are what a gateway answers today. `WRITE_VECTORS=1` writes them instead of comparing."""

import json
import os
from difflib import unified_diff
from pathlib import Path

from tests.conftest import ROOT
from tests.integration.client_vectors import record
from tests.integration.system import System
from tests.sampler_checkpoint import write_sampler_checkpoint

VECTORS = ROOT / "clients" / "vectors"
COMMAND = "WRITE_VECTORS=1 uv run pytest -n 0 tests/integration/test_client_vectors.py"


async def test_vectors_are_what_a_gateway_answers(system: System, tmp_path: Path) -> None:
    recorded = {
        f"{name}.json": json.dumps(vectors, indent=2, ensure_ascii=False) + "\n"
        for name, vectors in (await record(system, write_sampler_checkpoint(tmp_path / "tiny"))).items()
    }
    if os.environ.get("WRITE_VECTORS"):
        for name, text in recorded.items():
            (VECTORS / name).write_text(text)
    stored = {file.name: file.read_text() for file in VECTORS.glob("*.json")}
    changes = [line for name in sorted({*recorded, *stored}) for line in changed(name, stored, recorded)]
    assert not changes, "\n".join(
        [f"Answers have changed. Write the vectors again, and test every client:\n{COMMAND}", *changes]
    )


def changed(name: str, stored: dict[str, str], recorded: dict[str, str]) -> list[str]:
    """The lines of a file that differ, for a reader."""
    before, now = (files.get(name, "").splitlines() for files in (stored, recorded))
    return list(unified_diff(before, now, f"stored {name}", f"recorded {name}", n=1, lineterm=""))[:40]
