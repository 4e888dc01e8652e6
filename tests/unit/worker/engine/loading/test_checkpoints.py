"""Finding, verifying and identifying checkpoints."""

import shutil
import zipfile
from pathlib import Path

import pytest

from shared.errors import ModelUnavailableError
from worker.engine.checksums import CHECKSUMS_FILE, check_files
from worker.engine.loading.checkpoints import FILES, SAMPLE, STARTER_FOLDER, find_checkpoint, identify
from worker.engine.sampler.bank import BANK, default_bank

MEGABYTE = 1_000_000
SHIPPED = sorted(
    str(file.relative_to(STARTER_FOLDER)) for file in STARTER_FOLDER.rglob("*") if file.name != CHECKSUMS_FILE
)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint"
    write(folder, bytes(4 * SAMPLE))
    return folder


def write(folder: Path, tensor: bytes) -> None:
    """Write a checkpoint like PyTorch: an uncompressed archive."""
    (folder / "t5").mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "state_dict.bin", "w") as archive:
        archive.writestr("data/0", tensor)
    (folder / "t5" / "config.json").write_text("{}")


def test_copy_has_the_same_identity(checkpoint: Path, tmp_path: Path) -> None:
    shutil.copytree(checkpoint, tmp_path / "copy", copy_function=shutil.copyfile)
    assert identify(str(tmp_path / "copy")) == identify(str(checkpoint))


def test_changing_one_byte_of_a_tensor_changes_the_identity(checkpoint: Path) -> None:
    before = identify(str(checkpoint))
    write(checkpoint, bytes(2 * SAMPLE) + b"\x01" + bytes(2 * SAMPLE - 1))
    assert identify(str(checkpoint)) != before


def test_new_or_renamed_file_changes_the_identity(checkpoint: Path) -> None:
    seen = {identify(str(checkpoint))}
    (checkpoint / "t5" / "config.json").rename(checkpoint / "t5" / "other.json")
    seen.add(identify(str(checkpoint)))
    (checkpoint / "notes.txt").touch()
    seen.add(identify(str(checkpoint)))
    assert len(seen) == 3


def test_hub_repository_has_no_identity() -> None:
    assert identify("facebook/musicgen-small") is None


def test_starter_is_shipped_and_at_most_24_megabytes() -> None:
    assert find_checkpoint("starter") == str(STARTER_FOLDER)
    files = [file for file in STARTER_FOLDER.rglob("*") if file.is_file()]
    assert {file.name for file in files} >= {*FILES, "model.safetensors", "tokenizer.json"}
    assert sum(file.stat().st_size for file in [*files, BANK]) <= 24 * MEGABYTE


def test_incomplete_folder_is_rejected_with_the_missing_file(tmp_path: Path) -> None:
    (tmp_path / FILES[0]).touch()
    with pytest.raises(ModelUnavailableError, match=FILES[1]):
        find_checkpoint(str(tmp_path))


def test_metas_models_come_from_the_hub() -> None:
    assert find_checkpoint("small") == "facebook/musicgen-small"


def flip(file: Path, count: int) -> None:
    """Invert all bits of `count` bytes in the middle."""
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + count] = bytes(byte ^ 0xFF for byte in data[middle : middle + count])
    file.write_bytes(data)


@pytest.mark.parametrize("name", [name for name in SHIPPED if (STARTER_FOLDER / name).is_file()])
@pytest.mark.parametrize("count", [1, 4096])
def test_damaged_starter_file_is_reported_with_a_remedy(tmp_path: Path, name: str, count: int) -> None:
    folder = tmp_path / "starter"
    shutil.copytree(STARTER_FOLDER, folder)
    assert find_checkpoint(str(folder)) == str(folder)
    flip(folder / name, count)
    with pytest.raises(ModelUnavailableError, match=f"{name} is damaged") as caught:
        find_checkpoint(str(folder))
    assert "Install the package again" in caught.value.remedy
    (folder / name).unlink()
    with pytest.raises(ModelUnavailableError):
        find_checkpoint(str(folder))


@pytest.mark.parametrize("count", [1, 4096])
def test_damaged_sample_bank_is_reported_when_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    for name in (BANK.name, CHECKSUMS_FILE):
        shutil.copyfile(BANK.parent / name, tmp_path / name)
    monkeypatch.setattr("worker.engine.sampler.bank.BANK", tmp_path / BANK.name)
    default_bank.__wrapped__()
    flip(tmp_path / BANK.name, count)
    with pytest.raises(ModelUnavailableError, match=r"bank\.zip is damaged"):
        default_bank.__wrapped__()


def test_folder_without_checksums_passes(checkpoint: Path) -> None:
    check_files(checkpoint)
