"""What a data folder must allow, looked at before anything starts."""

import os
import tempfile
from pathlib import Path

from shared.errors import MusicgenError

LOGS = "logs"
# The folders that the parts of an `up` write into.
PARTS = (LOGS, "nats", "s3", "spool")
# A path may have 4096 bytes; the servers keep theirs some folders further down.
LONGEST = 3000


def check_folders(data_dir: Path) -> None:
    """Make the folder of the logs, and write into every folder that is there.

    Raises:
        MusicgenError: if one cannot be written, or the name of the data folder is too long.
    """
    length = len(os.fsencode(data_dir))
    if length > LONGEST:
        raise MusicgenError(f"The data folder's path has {length} bytes, more than {LONGEST}. Give another --data-dir.")
    for folder in (data_dir, *(data_dir / part for part in PARTS)):
        try:
            if folder.name == LOGS or os.path.lexists(folder):
                folder.mkdir(exist_ok=True)
                with tempfile.TemporaryFile(dir=folder):
                    pass
        except OSError as error:
            raise MusicgenError(
                f"{folder} cannot be written: {error.strerror}. Give it to this user, or give another --data-dir."
            ) from error
