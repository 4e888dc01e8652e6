"""Where a checkpoint is, and telling one from another."""

import shutil
import zipfile
from pathlib import Path

import pytest

from shared.errors import ModelUnavailableError
from worker.engine.models import FILES, SAMPLE, STARTER_FOLDER, find_checkpoint, identify
from worker.engine.sampler.bank import BANK

MEGABYTE = 1_000_000


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    write(folder, bytes(4 * SAMPLE))
    return folder


def write(folder: Path, tensor: bytes) -> None:
    """As PyTorch does: an archive that is not compressed."""
    (folder / "t5").mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "state_dict.bin", "w") as archive:
        archive.writestr("data/0", tensor)
    (folder / "t5" / "config.json").write_text("{}")


def test_a_copy_is_the_same_checkpoint_whenever_it_was_made(checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(checkpoint, tmp_path / "copy", copy_function=shutil.copyfile)
    assert identify(str(tmp_path / "copy")) == identify(str(checkpoint))


def test_one_number_in_the_middle_of_a_large_tensor_makes_it_another_one(checkpoint: Path) -> None:
    before = identify(str(checkpoint))
    write(checkpoint, bytes(2 * SAMPLE) + b"\x01" + bytes(2 * SAMPLE - 1))
    assert identify(str(checkpoint)) != before


def test_so_does_another_file_or_another_name(checkpoint: Path) -> None:
    seen = {identify(str(checkpoint))}
    (checkpoint / "t5" / "config.json").rename(checkpoint / "t5" / "other.json")
    seen.add(identify(str(checkpoint)))
    (checkpoint / "notes.txt").touch()
    seen.add(identify(str(checkpoint)))
    assert len(seen) == 3


def test_of_a_repository_on_the_hub_nothing_is_told() -> None:
    assert identify("facebook/musicgen-small") is None


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
