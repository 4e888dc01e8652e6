"""The codec that most tests decode with."""

from collections.abc import Iterator

import pytest
import torch
from tests.unit.worker.engine.batching.codec.checkpoints import Reference, configuration, write_checkpoint


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """Mono, with an LSTM and mirrored ends, as Meta's."""
    return write_checkpoint(tmp_path_factory.mktemp("codec"), configuration(pad_mode="reflect"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small spend most of their time waiting for threads, more so on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
