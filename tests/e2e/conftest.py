"""`musicgen up` for tests, with a tiny engine instead of the model unless a test needs the model."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Up

Start = Callable[..., Up]


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Start]:
    """Create runs of `musicgen up` on the data folder of the test; they end with the test."""
    made: list[Up] = []

    def make(*arguments: str, engine: str = "tests.engines:load", **environment: str) -> Up:
        made.append(Up(tmp_path / "data", *arguments, MUSICGEN_ENGINE=engine, **environment))
        return made[-1]

    yield make
    for each in made:
        each.close()
