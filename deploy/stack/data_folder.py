"""The data folder of an `up`: its place, its parts, its lock, and `run.json`, which lists the running processes."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import msgspec
import psutil
from msgspec import Meta
from platformdirs import user_data_path

from shared.errors import MusicgenError
from shared.messages import UNDECODABLE

RUN_FILE = "run.json"
LOCK_FILE = "lock"
LOG_FOLDER = "logs"
# The subfolders that the processes of an `up` write to.
PART_FOLDERS = (LOG_FOLDER, "nats", "s3", "spool")
# Linux limits paths to 4096 bytes, and the servers add several levels of their own files.
LONGEST_PATH = 3000


class RunningProcess(msgspec.Struct, frozen=True, kw_only=True):
    """One process. `started` is its creation time, which together with the pid identifies it uniquely."""

    role: str
    pid: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    urls: list[str]
    started: float = 0.0


def default_data_dir() -> Path:
    """Return the default data folder of `up`.

    Raises:
        MusicgenError: if the user has no home folder.
    """
    try:
        return user_data_path("tellurstori-musicgen")
    except RuntimeError as error:
        raise MusicgenError("This user has no home folder. Give a folder with --data-dir, or set HOME.") from error


def write_run_file(data_dir: Path, processes: list[RunningProcess]) -> None:
    """Replace `run.json` atomically."""
    draft = data_dir / f"{RUN_FILE}.tmp"
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(processes)) + b"\n")
    draft.replace(data_dir / RUN_FILE)


def read_run_file(data_dir: Path) -> list[RunningProcess]:
    """Return the processes of the last `up`, running or not; an empty list if the file is missing or unreadable."""
    try:
        return msgspec.json.decode((data_dir / RUN_FILE).read_bytes(), type=list[RunningProcess])
    except (OSError, *UNDECODABLE):
        return []


def find_process(process: RunningProcess) -> psutil.Process | None:
    """Return the process if it still runs; None if it ended or its pid was reused."""
    with suppress(psutil.NoSuchProcess):
        found = psutil.Process(process.pid)
        if abs(found.create_time() - process.started) < 1.0 and found.status() != psutil.STATUS_ZOMBIE:
            return found
    return None


@contextmanager
def lock_data_folder(data_dir: Path) -> Iterator[None]:
    """Lock the data folder, so that only one `up` uses it at a time.

    Raises:
        MusicgenError: if another `up` holds the lock, or the folder is unusable.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (data_dir / LOCK_FILE).open("w")
    except OSError as error:
        raise MusicgenError(f"{data_dir} cannot be used: {error.strerror}. Give another --data-dir.") from error
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            urls = [url for each in read_run_file(data_dir) if each.role == "gateway" for url in each.urls]
            where = f" at {urls[0]}" if urls else ""
            raise MusicgenError(
                f"`musicgen up` is already running on {data_dir}{where}. Stop that one, or give another --data-dir."
            ) from error
        yield


def stop_leftovers(data_dir: Path) -> list[str]:
    """Stop processes left running by a killed `up`; return their roles. Call this with the lock held."""
    leftovers = [(each, found) for each in read_run_file(data_dir) if (found := find_process(each))]
    for _, process in leftovers:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs([process for _, process in leftovers], timeout=10)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)
    (data_dir / RUN_FILE).unlink(missing_ok=True)
    return [each.role for each, _ in leftovers]


def check_writable(data_dir: Path) -> None:
    """Create the log folder, and check that every existing subfolder is writable.

    Raises:
        MusicgenError: if one is not writable, or the path of the data folder is too long.
    """
    length = len(os.fsencode(data_dir))
    if length > LONGEST_PATH:
        raise MusicgenError(
            f"The data folder's path has {length} bytes, more than {LONGEST_PATH}. Give another --data-dir."
        )
    for folder in (data_dir, *(data_dir / part for part in PART_FOLDERS)):
        try:
            if folder.name == LOG_FOLDER or os.path.lexists(folder):
                folder.mkdir(exist_ok=True)
                with tempfile.TemporaryFile(dir=folder):
                    pass
        except OSError as error:
            raise MusicgenError(
                f"{folder} cannot be written: {error.strerror}. Change its owner, or give another --data-dir."
            ) from error
