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
# The folders that the parts of an `up` write into.
PART_FOLDERS = (LOG_FOLDER, "nats", "s3", "spool")
# A path may have 4096 bytes; the servers keep theirs some folders further down.
LONGEST_PATH = 3000


class RunningProcess(msgspec.Struct, frozen=True, kw_only=True):
    """One process. `started` is its creation time: with the pid it names the process for good."""

    role: str
    pid: Annotated[int, Meta(ge=1, le=2**31 - 1)]
    urls: list[str]
    started: float = 0.0


def default_data_dir() -> Path:
    """Where `up` keeps its data unless told otherwise.

    Raises:
        MusicgenError: if the user has no home folder.
    """
    try:
        return user_data_path("tellurstori-musicgen")
    except RuntimeError as error:
        raise MusicgenError("This user has no home folder. Give a folder with --data-dir, or set HOME.") from error


def write_run_file(data_dir: Path, processes: list[RunningProcess]) -> None:
    """Replace `run.json`, whole or not at all."""
    draft = data_dir / f"{RUN_FILE}.tmp"
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(processes)) + b"\n")
    draft.replace(data_dir / RUN_FILE)


def read_run_file(data_dir: Path) -> list[RunningProcess]:
    """The processes of the last `up` there, running or not; empty without a readable file."""
    try:
        return msgspec.json.decode((data_dir / RUN_FILE).read_bytes(), type=list[RunningProcess])
    except (OSError, *UNDECODABLE):
        return []


def find_process(process: RunningProcess) -> psutil.Process | None:
    """The process if it still runs, and is no other one that got its pid."""
    with suppress(psutil.NoSuchProcess):
        found = psutil.Process(process.pid)
        if abs(found.create_time() - process.started) < 1.0 and found.status() != psutil.STATUS_ZOMBIE:
            return found
    return None


@contextmanager
def lock_data_folder(data_dir: Path) -> Iterator[None]:
    """Hold the data directory: one `up` at a time.

    Raises:
        MusicgenError: if another one holds it, or it cannot be used.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (data_dir / LOCK_FILE).open("w")
    except OSError as error:
        raise MusicgenError(f"{data_dir} cannot hold the data: {error.strerror}. Give another --data-dir.") from error
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
    """End what an `up` that was killed has left running; returns the roles. Call with the lock held."""
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
    """Make the folder of the logs, and write into every folder that is there.

    Raises:
        MusicgenError: if one cannot be written, or the name of the data folder is too long.
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
                f"{folder} cannot be written: {error.strerror}. Give it to this user, or give another --data-dir."
            ) from error
