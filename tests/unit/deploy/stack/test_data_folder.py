"""Checks of the data folder."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.cli.main import main
from deploy.stack.credentials import load_credentials
from deploy.stack.data_folder import LONGEST_PATH, PART_FOLDERS, check_writable
from shared.errors import MusicgenError

OTHER_UID = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users can reach too."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        yield Path(name)


@contextmanager
def without_rights(folder: Path) -> Iterator[None]:
    """Make a folder read-only for this process, and drop root, which CI runs as and which ignores modes."""
    folder.chmod(0o555)
    if os.geteuid() != 0:
        yield
        folder.chmod(0o755)
        return
    os.seteuid(OTHER_UID)
    try:
        yield
    finally:
        os.seteuid(0)
        folder.chmod(0o755)


def test_a_new_data_folder_gets_only_a_log_folder(tmp_path: Path) -> None:
    check_writable(tmp_path)
    check_writable(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["logs"]


@pytest.mark.parametrize("part", PART_FOLDERS)
def test_an_unwritable_folder_is_reported_before_the_start(folder: Path, part: str) -> None:
    folder.chmod(0o777)
    for name in PART_FOLDERS:
        (folder / name).mkdir(mode=0o777)
        (folder / name).chmod(0o777)
    with (
        without_rights(folder / part),
        pytest.raises(MusicgenError, match=f"{part} cannot be written: Permission denied"),
    ):
        check_writable(folder)


@pytest.mark.parametrize("part", PART_FOLDERS)
@pytest.mark.parametrize("what", ["file", "dangling link", "loop"])
def test_a_path_that_is_no_folder_is_reported_before_the_start(tmp_path: Path, part: str, what: str) -> None:
    if what == "file":
        (tmp_path / part).touch()
    else:
        (tmp_path / part).symlink_to(part if what == "loop" else "nowhere")
    with pytest.raises(MusicgenError, match=f"{part} cannot be written: "):
        check_writable(tmp_path)


def test_unreadable_credentials_are_reported(folder: Path) -> None:
    load_credentials(folder)
    if os.geteuid() != 0:
        (folder / "credentials.json").chmod(0)
    folder.chmod(0o755)
    with without_rights(folder), pytest.raises(MusicgenError, match=r"credentials\.json cannot be read"):
        load_credentials(folder)


@pytest.mark.parametrize(
    "what", ["file", "file above", "dangling link", "name too long", "path too long", "unwritable"]
)
def test_up_rejects_an_unusable_data_folder_in_one_sentence(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    places = {
        "file": tmp_path / "file",
        "file above": tmp_path / "file" / "data",
        "dangling link": tmp_path / "link",
        "name too long": tmp_path / ("n" * 256),
        "path too long": tmp_path.joinpath(*["n" * 200] * (LONGEST_PATH // 200)),
        "unwritable": folder / "data",
    }
    with without_rights(folder):
        assert main(["up", "--data-dir", str(places[what])]) == 1
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "ive another --data-dir" in said.err
    assert "✓" not in said.out


def test_the_home_of_an_unknown_user_is_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["env", "--data-dir", "~no-such-user-here/data"])
    assert caught.value.code == 2
    assert "cannot be resolved" in capsys.readouterr().err
