from pathlib import Path

import pytest

from shared.errors import ModelUnavailableError
from worker.engine.models import FILES, STARTER_FOLDER, find_checkpoint
from worker.engine.sampler.bank import BANK

MEGABYTE = 1_000_000


def test_the_starter_is_beside_the_engine_and_small_enough_to_come_along() -> None:
    assert find_checkpoint("starter") == str(STARTER_FOLDER)
    files = [file for file in STARTER_FOLDER.rglob("*") if file.is_file()]
    assert {file.name for file in files} >= {*FILES, "model.safetensors", "tokenizer.json"}
    assert sum(file.stat().st_size for file in [*files, BANK]) <= 24 * MEGABYTE


def test_a_folder_without_a_checkpoint_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / FILES[0]).touch()
    with pytest.raises(ModelUnavailableError, match=FILES[1]):
        find_checkpoint(str(tmp_path))


def test_metas_models_come_from_the_hub() -> None:
    assert find_checkpoint("small") == "facebook/musicgen-small"
