"""A checkpoint for the scripts that measure engines: the tiny one, with a shorter window."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from bench.tiny import write_tiny

# Seconds; audiocraft refuses 18 and less.
WINDOW = 19


@pytest.fixture(autouse=True)
def same_threads_afterwards() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "checkpoint"
    write_tiny(folder)
    file = folder / "state_dict.bin"
    package = torch.load(file, weights_only=True)
    configuration = OmegaConf.create(package["xp.cfg"])
    configuration.dataset.segment_duration = WINDOW
    torch.save({**package, "xp.cfg": OmegaConf.to_yaml(configuration)}, file)
    return folder
