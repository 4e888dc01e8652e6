"""The project's documents, their headings and their code blocks."""

import re
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT

DOCUMENTS = tuple(
    sorted(
        (
            *(ROOT / f"{name}.md" for name in ("README", "CHANGELOG", "CONTRIBUTING", "SECURITY")),
            *(ROOT / "docs").glob("*.md"),
            *(
                ROOT / folder / "README.md"
                for folder in (
                    "training",
                    "bench",
                    *(f"clients/{name}" for name in ("python", "swift", "typescript", "vectors")),
                )
            ),
        )
    )
)
# tests/e2e/test_documents.py runs their blocks in order; blocks of other documents carry a mark.
EXECUTED = (ROOT / "README.md", ROOT / "docs" / "api.md")
PROGRAMS = ("sh", "bash", "python", "cpp", "swift", "typescript")

_BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


class Block(NamedTuple):
    """A fenced block. `mark` is the text of the HTML comment on the line before it, such as `not run: needs Docker`."""

    language: str
    text: str
    mark: str

    @property
    def is_program(self) -> bool:
        return self.language in PROGRAMS


def blocks(document: Path) -> list[Block]:
    return [
        Block(found["language"], found["text"], found["mark"] or "") for found in _BLOCK.finditer(document.read_text())
    ]


def section(document: Path, title: str) -> str:
    """The text under a heading of the second level."""
    return document.read_text().split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def anchors(document: Path) -> set[str]:
    """The fragments that GitHub gives to the document's headings."""
    prose = _BLOCK.sub("", document.read_text())
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(document: Path) -> list[tuple[str, str]]:
    """Path and fragment of each link that stays in the repository; an empty path is the document itself."""
    prose = _BLOCK.sub("", document.read_text())
    return re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)#?([^)\s]*)\)", prose)
