"""Checksums of shipped files, so that damage is reported on loading instead of being heard in the music."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from shared.errors import ModelUnavailableError

# In the format of `sha256sum`, in the folder whose files it lists.
CHECKSUMS_FILE = "SHA256SUMS"


def write_checksums(folder: Path, files: Iterable[Path]) -> None:
    """Write the checksums of `files`, which are in `folder`."""
    lines = [f"{_checksum(file)}  {file.relative_to(folder).as_posix()}\n" for file in sorted(files)]
    (folder / CHECKSUMS_FILE).write_text("".join(lines))


def check_files(folder: Path) -> None:
    """Verify the files of a folder against its list. A folder without a list passes.

    Raises:
        ModelUnavailableError: if a file is damaged or missing.
        OSError: if a file cannot be read.
    """
    listed = folder / CHECKSUMS_FILE
    for line in listed.read_text().splitlines() if listed.is_file() else []:
        checksum, _, name = line.partition("  ")
        file = folder / name
        if not file.is_file() or _checksum(file) != checksum:
            raise ModelUnavailableError(
                f"{file} is {'damaged' if file.is_file() else 'missing'}: it does not match {listed}.",
                "Install the package again, or check the file out again, and check the disk. "
                f"If you changed the file on purpose, remove {listed}.",
            )


def _checksum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
