"""A checkpoint for the scripts that measure engines: the tiny one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bench.tiny import write_tiny


@pytest.fixture(autouse=True)
def same_threads_afterwards() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "checkpoint"
    write_tiny(folder)
    return folder
