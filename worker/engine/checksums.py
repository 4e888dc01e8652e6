"""Checksums of files that come with the service: damage is told when they are loaded, not heard in the music."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from shared.errors import ModelUnavailableError

# In the format of the program `sha256sum`, in the folder whose files it lists.
CHECKSUMS_FILE = "SHA256SUMS"


def write_checksums(folder: Path, files: Iterable[Path]) -> None:
    """List some files of a folder."""
    lines = [f"{_checksum(file)}  {file.relative_to(folder).as_posix()}\n" for file in sorted(files)]
    (folder / CHECKSUMS_FILE).write_text("".join(lines))


def check_files(folder: Path) -> None:
    """Compare the files of a folder with its list; a folder without one is taken as it is.

    Raises:
        ModelUnavailableError: if a file differs, or there is none.
        OSError: if one cannot be read.
    """
    listed = folder / CHECKSUMS_FILE
    for line in listed.read_text().splitlines() if listed.is_file() else []:
        checksum, _, name = line.partition("  ")
        file = folder / name
        if not file.is_file() or _checksum(file) != checksum:
            raise ModelUnavailableError(
                f"{file} is {'damaged' if file.is_file() else 'missing'}: it is not what {listed} lists.",
                "Install the package again, or check the file out again, and check the disk. "
                f"If you changed the file on purpose, remove {listed}.",
            )


def _checksum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
