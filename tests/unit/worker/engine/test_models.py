"""Telling one checkpoint from another."""

import shutil
import zipfile
from pathlib import Path

import pytest

from worker.engine.models import SAMPLE, identify


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
