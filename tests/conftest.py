"""Fixtures for all tests: the servers to run on."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.stack import ports
from shared.logs import configure_logs
from tests.servers import Server, embedded_nats, embedded_s3

ROOT = Path(__file__).parents[1]

configure_logs("info", "text", "test")

# Set before torch is imported. The threads of two test processes on two cores mostly wait for each other, and where a
# process has several they must not spin meanwhile: a test of ten seconds took minutes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GOMP_SPINCOUNT", "0")

# Tests start hundreds of processes. Without bytecode on the disk each one compiles all that it imports, which takes
# 9 s of the processor for audiocraft.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_configure(config: pytest.Config) -> None:
    # Two test processes that start servers at the same moment could choose the same free port.
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports.PORT_RANGE = ports.PORT_RANGE[number::count]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--stack",
        choices=["embedded", "containers"],
        default="embedded",
        help="run on the embedded nats-server and SeaweedFS, or on NATS and MinIO in Docker",
    )


@pytest.fixture(scope="session")
def in_containers(pytestconfig: pytest.Config) -> bool:
    return bool(pytestconfig.getoption("--stack") == "containers")


@pytest.fixture(scope="session")
def _nats_container(in_containers: bool) -> Iterator[dict[str, str]]:
    if not in_containers:
        yield {}
        return
    from tests.containers import nats_container

    with nats_container(ROOT / "nats.conf") as urls:
        yield urls


@pytest.fixture
def nats_urls(in_containers: bool, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The URLs of an empty NATS, by role."""
    if not in_containers:
        request.getfixturevalue("nats_process")
        yield request.getfixturevalue("nats_process")[1]
        return
    import asyncio

    from tests.containers import empty_nats

    urls = request.getfixturevalue("_nats_container")
    yield urls
    asyncio.run(empty_nats(urls["operator"]))


@pytest.fixture
def nats_process(in_containers: bool, tmp_path: Path) -> Iterator[tuple[Server, dict[str, str]]]:
    """An embedded nats-server for one test, which may kill or freeze it, and its URLs."""
    if in_containers:
        pytest.skip("needs a NATS that the test can kill")
    server, urls = embedded_nats(tmp_path / "nats")
    server.start()
    yield server, urls
    server.stop()


@pytest.fixture(scope="session")
def s3_environment(
    in_containers: bool, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, dict[str, str]]]:
    """The connection settings of the S3 store, by role. All tests share it, because keys contain unique job ids."""
    if in_containers:
        from tests.containers import s3_container

        with s3_container("music-audio") as settings:
            yield settings
        return
    server, settings = embedded_s3(tmp_path_factory.mktemp("s3"))
    server.start()
    yield settings
    server.stop()


@pytest.fixture
def s3_process(in_containers: bool, tmp_path: Path) -> Iterator[tuple[Server, dict[str, dict[str, str]]]]:
    """An embedded S3 for one test, which may kill it, and its settings by role."""
    if in_containers:
        pytest.skip("needs an S3 that the test can kill")
    server, settings = embedded_s3(tmp_path / "s3")
    server.start()
    yield server, settings
    server.stop()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same folder."""
    file = tmp_path / "server.pem"
    make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 1 -subj /CN=nats"
    files = ("-addext", f"subjectAltName=IP:{ports.LOOPBACK}", "-out", file, "-keyout", file.with_suffix(".key"))
    subprocess.run([*make.split(), *files], check=True, capture_output=True)
    return file
