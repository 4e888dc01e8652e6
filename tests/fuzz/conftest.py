"""The number of inputs per test (few, or all with `-m fuzz`), and a running gateway."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
import schemathesis
from schemathesis.schemas import BaseSchema
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from tests.faults.services import gateway_server, worker_server
from tests.servers import Server, embedded_nats

HERE = Path(__file__).parent
FEW, ALL = 30, 10_000


class Served(NamedTuple):
    """A gateway, its OpenAPI document, and a completed job."""

    process: Server
    url: str
    schema: BaseSchema
    http: requests.Session
    job_id: str


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.fuzz)


@pytest.fixture(scope="session")
def inputs(pytestconfig: pytest.Config) -> int:
    """The number of inputs per target."""
    return ALL if "fuzz" in str(pytestconfig.option.markexpr) else FEW


@pytest.fixture(scope="session")
def served(
    in_containers: bool, s3_environment: dict[str, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    if in_containers:
        pytest.skip("one stack is enough for this")
    folder = tmp_path_factory.mktemp("served")
    with ExitStack() as stack:
        nats, urls = embedded_nats(folder / "nats")
        gateway, url = gateway_server(folder, 1, {"NATS_URL": urls["gateway"], **s3_environment["gateway"]}, {})
        worker = worker_server(folder, 2, {"NATS_URL": urls["worker"], **s3_environment["worker"]}, {})
        for server in (nats, gateway, worker):
            stack.callback(server.stop)
            server.start()
        http = stack.enter_context(requests.Session())
        job_id = _finished(http, url)
        worker.stop()  # jobs accepted from now on stay in the queue
        yield Served(gateway, url, schemathesis.openapi.from_url(f"{url}/openapi.json"), http, job_id)


def _finished(http: requests.Session, url: str) -> str:
    body = {"prompt": "tone", "duration": 0.5}
    job_id: str = http.post(f"{url}/api/v1/generate", json=body, timeout=10).json()["job_id"]

    def status() -> str:
        return str(http.get(f"{url}/api/v1/status/{job_id}", timeout=10).json()["status"])

    waiting = Retrying(retry=retry_if_result(lambda found: found != "completed"), stop=stop_after_delay(30))
    waiting.copy(wait=wait_fixed(0.05))(status)
    return job_id
