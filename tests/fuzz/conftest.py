"""How many inputs each test tries: a few in every run, all of them with `-m fuzz`."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
FEW, ALL = 30, 10_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.fuzz)


@pytest.fixture(scope="session")
def inputs(pytestconfig: pytest.Config) -> int:
    """How many inputs a target gets."""
    return ALL if "fuzz" in str(pytestconfig.option.markexpr) else FEW
