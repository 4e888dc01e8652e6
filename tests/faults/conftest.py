"""A deployment for each test, and the selection of tests."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.faults.deployment import Deployment
from tests.servers import Server

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """All tests here are `faults`; the thorough ones run only with `-m faults`."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.faults)
    if "faults" in config.option.markexpr:
        return
    thorough = [item for item in items if item.get_closest_marker("thorough")]
    if thorough:
        config.hook.pytest_deselected(items=thorough)
        items[:] = [item for item in items if item not in thorough]


@pytest.fixture
async def deployment(
    nats_process: tuple[Server, dict[str, str]], s3_environment: dict[str, dict[str, str]], tmp_path: Path
) -> AsyncIterator[Deployment]:
    """A deployment on a broker of this test and the shared store. The test starts gateways and workers."""
    async with AsyncExitStack() as stack:
        yield Deployment(tmp_path, nats_process[1], s3_environment, stack)


@pytest.fixture
def broker(nats_process: tuple[Server, dict[str, str]]) -> Server:
    """The broker of the deployment, which the test may kill and freeze."""
    return nats_process[0]
