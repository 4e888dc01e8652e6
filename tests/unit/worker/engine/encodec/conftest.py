"""The codec that most tests use."""

import pytest

from tests.unit.worker.engine.encodec.checkpoints import Reference, configuration, write_checkpoint


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """Mono, with an LSTM and mirrored padding, like Meta's."""
    return write_checkpoint(tmp_path_factory.mktemp("codec"), configuration(pad_mode="reflect"))
