"""Where `musicgen generate` puts the music: a file that appears when it is whole, or a stream as the music comes."""

import asyncio
import errno
import os
import secrets
import select
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import MusicgenError

STANDARD_OUTPUT = "-"
# Seconds between two looks whether a pipe has a reader.
READER_CHECK_INTERVAL = 0.2
# No file is smaller: 16 bits at 16 kHz, one channel. With less room than that no music is asked for.
MIN_BYTES_PER_SECOND = 32_000
# No gateway accepts more seconds; it says so itself.
MAX_SECONDS = 600.0


class FileDestination:
    """A regular file. The music is written beside it under another name, which replaces it at the end."""

    def __init__(self, folder: Path, name: str | None, mode: int | None) -> None:
        self._folder = folder
        self._name = name
        self._file = folder / f".musicgen-{secrets.token_hex(6)}.part"
        self._descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        if mode is not None:
            os.fchmod(self._descriptor, mode)

    async def write(self, data: bytes) -> None:
        """Append. Raises: MusicgenError if the disk does not take it."""
        view = memoryview(data)
        with _explained_errors(self._folder / (self._name or "the music")):
            while view:
                view = view[os.write(self._descriptor, view) :]

    def finish(self, job_id: str) -> str:
        """Put the file in its place; returns where that is. Raises: MusicgenError if it cannot be put there."""
        place = self._folder / (self._name or f"{job_id}.wav")
        with _explained_errors(place):
            self._file.replace(place)
        return str(place)

    def close(self) -> None:
        """Leave nothing behind of what was not finished."""
        os.close(self._descriptor)
        self._file.unlink(missing_ok=True)


class PipeDestination:
    """A pipe, a device or standard output: what is there is written into.

    Args:
        path: what to open, if there is no `descriptor`.
        descriptor: of what is open already, and stays open.
        waits_for_reader: whether it may have no reader yet, as a named pipe.
    """

    def __init__(self, path: str, descriptor: int | None = None, *, waits_for_reader: bool = False) -> None:
        self._path = path
        self._waits_for_reader = waits_for_reader
        self._given_descriptor = self._descriptor = descriptor

    async def write(self, data: bytes) -> None:
        """Append, as fast as the reader reads.

        Raises:
            BrokenPipeError: if the reader is gone.
            MusicgenError: if the device does not take it.
        """
        view = memoryview(data)
        with _explained_errors(self._path):
            if self._descriptor is None:
                self._descriptor = await _open_for_writing(self._path, self._waits_for_reader)
            while view:
                await _until_writable(self._descriptor)
                # This much never blocks once a write is possible: signals are handled however slow the reader is.
                view = view[os.write(self._descriptor, view[: select.PIPE_BUF]) :]

    def finish(self, job_id: str) -> str:
        """Where the music went."""
        return "standard output" if self._given_descriptor is not None else self._path

    def close(self) -> None:
        """Tell the reader of a pipe that this is all."""
        if self._given_descriptor is None and self._descriptor is not None:
            os.close(self._descriptor)


Destination = FileDestination | PipeDestination


def open_destination(output: str | None, seconds: float) -> Destination:
    """Prepare the place of the music, so that what cannot be written is refused before any is made.

    Args:
        output: a file, a folder, a pipe, a device, or `-` for standard output; None for the current folder.
        seconds: of the music.

    Raises:
        MusicgenError: if it can be written nowhere there.
    """
    with _explained_errors(output or Path.cwd()):
        return _open(output, seconds)


@contextmanager
def _explained_errors(place: str | Path) -> Iterator[None]:
    """Tell in words why a place refuses the music; a reader that is gone is no error of the place."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise MusicgenError(
            f"{place} cannot be written: {error.strerror or error}. Give another place with -o."
        ) from error


def _open(output: str | None, seconds: float) -> Destination:
    if output is None:
        return _file(Path(), None, None, seconds)
    if output == STANDARD_OUTPUT:
        return _standard_output()
    if output == "":
        raise MusicgenError("-o needs the name of a file, a folder, or - for standard output.")
    try:
        found = Path(output).stat()  # of what a link leads to
    except FileNotFoundError:
        return _new_file(output, seconds)
    descriptor = _stdout()
    if descriptor is not None and os.path.samestat(found, os.fstat(descriptor)):
        return _standard_output()
    if stat.S_ISDIR(found.st_mode):
        return _file(Path(output), None, None, seconds)
    if stat.S_ISREG(found.st_mode):
        place = Path(os.path.realpath(output))
        return _file(place.parent, place.name, stat.S_IMODE(found.st_mode), seconds)
    if stat.S_ISFIFO(found.st_mode) or stat.S_ISCHR(found.st_mode):
        return PipeDestination(output, waits_for_reader=stat.S_ISFIFO(found.st_mode))
    raise MusicgenError(f"{output} is a {_kind(found.st_mode)}, which holds no file. Give another place with -o.")


def _kind(mode: int) -> str:
    return "socket" if stat.S_ISSOCK(mode) else "disk"


def _new_file(output: str, seconds: float) -> FileDestination:
    if output.endswith("/"):
        raise MusicgenError(f"There is no folder {output}. Make it, or give another place with -o.")
    place = Path(os.path.realpath(output))  # a link may lead to what is not there yet
    return _file(place.parent, place.name, None, seconds)


def _file(folder: Path, name: str | None, mode: int | None, seconds: float) -> FileDestination:
    disk = shutil.disk_usage(folder)
    if disk.total and disk.free < min(seconds, MAX_SECONDS) * MIN_BYTES_PER_SECOND:
        raise MusicgenError(
            f"{folder.absolute()} has room for {disk.free} bytes, which is too little for {seconds:g} s of music. "
            "Free some space, or give another place with -o."
        )
    return FileDestination(folder, name, mode)


def _standard_output() -> PipeDestination:
    descriptor = _stdout()
    if descriptor is None:
        raise MusicgenError("Standard output is closed. Give another place with -o.")
    if os.isatty(descriptor):
        raise MusicgenError("Standard output is a terminal, which shows no music. Redirect it, or give a file with -o.")
    return PipeDestination(STANDARD_OUTPUT, descriptor)


def _stdout() -> int | None:
    """Its descriptor; None if it is closed: then another file may have its number."""
    try:
        return sys.stdout.fileno()
    except (AttributeError, OSError):
        return None


async def _open_for_writing(path: str, waits_for_reader: bool) -> int:
    """Open what is there; a pipe, as soon as it has a reader."""
    while True:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or not waits_for_reader:
                raise
            await asyncio.sleep(READER_CHECK_INTERVAL)
        else:
            os.set_blocking(descriptor, True)
            return descriptor


async def _until_writable(descriptor: int) -> None:
    loop, writable = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_writer(descriptor, writable.set)
    except PermissionError:
        return  # a regular file, or a device that never makes a writer wait
    try:
        await writable.wait()
    finally:
        loop.remove_writer(descriptor)
