"""Where the client commands write: a file, which appears once complete, or a pipe, written as data arrives."""

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

from rich.filesize import decimal

from shared.errors import MusicgenError

STANDARD_OUTPUT = "-"
# Seconds between checks for a reader of a named pipe.
READER_CHECK_INTERVAL = 0.2


class FileDestination:
    """A regular file. The data goes to a temporary file in the same folder, which gets the file's name at the end.

    Args:
        folder: of the file.
        name: of the file; None if it is known at the end only.
        force: whether an existing file of that name is overwritten.
        mode: of the existing file.

    Attributes:
        target: the final path, if it is known.
    """

    def __init__(self, folder: Path, name: str | None, *, force: bool, mode: int | None = None) -> None:
        self._folder = folder
        self._force = force
        self.target = None if name is None else folder / name
        if self.target is not None:
            self.refuse_existing(self.target)
        self._file = folder / f".musicgen-{secrets.token_hex(6)}.part"
        self._descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        if mode is not None:
            os.fchmod(self._descriptor, mode)

    def refuse_existing(self, target: Path) -> None:
        """Find out early whether a file would be overwritten.

        Raises:
            MusicgenError: if it exists and is not to be overwritten.
        """
        with _explained_errors(target):
            if not self._force and os.path.lexists(target):
                raise FileExistsError

    def path_of(self, name: str) -> Path:
        """The final path: what the user chose, or `name` in the folder."""
        return self.target or self._folder / name

    async def write(self, data: bytes) -> None:
        """Append data.

        Raises:
            MusicgenError: if the disk refuses it.
        """
        view = memoryview(data)
        with _explained_errors(self.target or self._folder / "the audio"):
            while view:
                view = view[os.write(self._descriptor, view) :]

    def finish(self, name: str) -> str:
        """Move the file into place, as `name` unless the user chose a name; return its path.

        Raises:
            MusicgenError: if it cannot be moved, or a file of that name exists.
        """
        target = self.path_of(name)
        with _explained_errors(target):
            if self._force:
                self._file.replace(target)
            else:
                _move_to_new(self._file, target)
        return str(target)

    def close(self) -> None:
        """Delete the temporary file unless it was moved into place."""
        os.close(self._descriptor)
        self._file.unlink(missing_ok=True)


class PipeDestination:
    """An existing pipe, device or standard output, written directly.

    Args:
        path: the path to open if there is no `descriptor`.
        descriptor: an open descriptor, which stays open.
        waits_for_reader: whether to wait for a reader, as a named pipe may have none yet.
    """

    def __init__(self, path: str, descriptor: int | None = None, *, waits_for_reader: bool = False) -> None:
        self._path = path
        self._waits_for_reader = waits_for_reader
        self._given_descriptor = self._descriptor = descriptor

    async def write(self, data: bytes) -> None:
        """Append data as fast as the reader consumes it.

        Raises:
            BrokenPipeError: if the reader is gone.
            MusicgenError: if the device refuses it.
        """
        view = memoryview(data)
        with _explained_errors(self._path):
            if self._descriptor is None:
                self._descriptor = await _open_for_writing(self._path, self._waits_for_reader)
            while view:
                await _until_writable(self._descriptor)
                # Once a pipe is writable, PIPE_BUF bytes never block: a slow reader does not delay signals.
                view = view[os.write(self._descriptor, view[: select.PIPE_BUF]) :]

    def finish(self, name: str) -> str:
        """Return where the data went."""
        return "standard output" if self._given_descriptor is not None else self._path

    def close(self) -> None:
        """Close what was opened here, so the reader of a pipe sees its end."""
        if self._given_descriptor is None and self._descriptor is not None:
            os.close(self._descriptor)


Destination = FileDestination | PipeDestination


def open_destination(output: str | None, needed: int, *, force: bool) -> Destination:
    """Open the destination, so that an unwritable one fails before anything is requested.

    Args:
        output: a file, a folder, a pipe, a device, or `-` for standard output; None for the current folder.
        needed: the least number of bytes to come.
        force: whether an existing file is overwritten.

    Raises:
        MusicgenError: if the destination is not writable, or is an existing file.
    """
    with _explained_errors(output or Path.cwd()):
        return _open(output, needed, force)


@contextmanager
def _explained_errors(target: str | Path) -> Iterator[None]:
    """Turn OS errors into messages with a remedy, except a broken pipe."""
    try:
        yield
    except BrokenPipeError:
        raise
    except FileExistsError as error:
        raise MusicgenError(
            f"{target} exists already. Overwrite it with --force, or choose another destination with -o."
        ) from error
    except OSError as error:
        raise MusicgenError(
            f"{target} cannot be written: {error.strerror or error}. Choose another destination with -o."
        ) from error


def _move_to_new(file: Path, target: Path) -> None:
    """Rename a file without ever replacing another one, which `os.rename` would do.

    Raises:
        FileExistsError: if there is a file of that name.
    """
    try:
        os.link(file, target)
    except FileExistsError:
        raise
    except OSError:  # some file systems have no hard links, such as exFAT; then an empty file reserves the name
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        file.replace(target)


def _open(output: str | None, needed: int, force: bool) -> Destination:
    if output is None:
        return _file(Path(), None, needed, force)
    if output == STANDARD_OUTPUT:
        return _standard_output()
    if output == "":
        raise MusicgenError("-o needs a file, a folder, a pipe, or - for standard output.")
    try:
        found = Path(output).stat()  # follows symbolic links
    except FileNotFoundError:
        return _new_file(output, needed, force)
    descriptor = _stdout()
    if descriptor is not None and os.path.samestat(found, os.fstat(descriptor)):
        return _standard_output()
    if stat.S_ISDIR(found.st_mode):
        return _file(Path(output), None, needed, force)
    if stat.S_ISREG(found.st_mode):
        target = _followed(output)
        return _file(target.parent, target.name, needed, force, stat.S_IMODE(found.st_mode))
    if stat.S_ISFIFO(found.st_mode) or stat.S_ISCHR(found.st_mode):
        return PipeDestination(output, waits_for_reader=stat.S_ISFIFO(found.st_mode))
    raise MusicgenError(
        f"{output} is a {_kind(found.st_mode)}, not a file or a pipe. Choose another destination with -o."
    )


def _kind(mode: int) -> str:
    return "socket" if stat.S_ISSOCK(mode) else "block device"


def _new_file(output: str, needed: int, force: bool) -> FileDestination:
    if output.endswith("/"):
        raise MusicgenError(f"There is no folder {output}. Create it, or choose another destination with -o.")
    target = _followed(output)
    return _file(target.parent, target.name, needed, force)


def _followed(output: str) -> Path:
    """The file that a link points to, which may not exist yet; other paths stay as the user wrote them."""
    path = Path(output)
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def _file(folder: Path, name: str | None, needed: int, force: bool, mode: int | None = None) -> FileDestination:
    disk = shutil.disk_usage(folder)
    if disk.total and disk.free < needed:
        raise MusicgenError(
            f"{folder.absolute()} has {decimal(disk.free)} free; at least {decimal(needed)} are needed. "
            "Free some space, or choose another destination with -o."
        )
    return FileDestination(folder, name, force=force, mode=mode)


def _standard_output() -> PipeDestination:
    descriptor = _stdout()
    if descriptor is None:
        raise MusicgenError("Standard output is closed. Choose another destination with -o.")
    if os.isatty(descriptor):
        raise MusicgenError("Standard output is a terminal. Redirect it, or give a file with -o.")
    return PipeDestination(STANDARD_OUTPUT, descriptor)


def _stdout() -> int | None:
    """Return the descriptor of standard output; None if it is closed, when another file may reuse the number."""
    try:
        return sys.stdout.fileno()
    except (AttributeError, OSError):
        return None


async def _open_for_writing(path: str, waits_for_reader: bool) -> int:
    """Open an existing path; a named pipe as soon as it has a reader."""
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
        return  # a regular file, or a device that never blocks writers
    try:
        await writable.wait()
    finally:
        loop.remove_writer(descriptor)
