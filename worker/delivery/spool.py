"""The worker's folders on disk: where files are produced, and where they wait while S3 is away."""

import asyncio
import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from shared.logs import get_logger
from shared.messages import UNDECODABLE, Recipe
from worker.production.produced_files import ProducedFiles

log = get_logger(__name__)

# Seconds after which kept files are removed, because their job has ended elsewhere.
MAX_AGE = 24 * 3600.0
# Seconds after which a workspace that no process holds is removed: its worker died.
ORPHAN_AGE = 60.0
WORKSPACE = ".musicgen-"
MANIFEST = "manifest.msgpack"


class Delivery(NamedTuple):
    """The files of a job, the folder that they are in, and the seconds that it took to make them."""

    folder: Path
    files: ProducedFiles
    generating: float
    encoding: float


class _Manifest(msgspec.Struct):
    recipe: Recipe
    files: ProducedFiles
    generating: float
    encoding: float


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Manifest).decode


class Spool:
    """One folder per job, in a folder that workers on the same machine may share. Without a folder it keeps nothing.

    An attempt produces its files in a workspace: a folder of its own, which is locked while its worker lives. To keep
    the files, the spool gives the workspace a manifest and the job's name. Errors while it does so are logged and
    otherwise ignored, because the attempt still has its workspace.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder).expanduser() if folder else None
        self._locks: dict[Path, int] = {}

    def open_workspace(self) -> Path:
        """Create an empty folder, in the spool or else among the temporary files. Blocks.

        Raises:
            OSError: if neither can be written.
        """
        try:
            if self._folder is not None:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=WORKSPACE, dir=self._folder))
        except OSError as error:
            log.warning("the spool cannot be written; using the temporary folder", error=str(error))
            folder = Path(tempfile.mkdtemp(prefix=WORKSPACE))
        self._locks[folder] = os.open(folder, os.O_RDONLY)
        fcntl.flock(self._locks[folder], fcntl.LOCK_EX)
        return folder

    async def close_workspace(self, folder: Path) -> None:
        """Remove a workspace, unless its files were kept."""
        await asyncio.to_thread(_remove, folder)
        self._unlock(folder)

    async def save(self, job_id: str, recipe: Recipe, delivery: Delivery) -> Delivery:
        """Keep the files of a job, atomically; returns where they are now."""
        if self._folder is None:
            return delivery
        kept = await asyncio.to_thread(self._keep, self._folder, job_id, recipe, delivery)
        if kept:
            self._unlock(delivery.folder)
        return delivery._replace(folder=self._folder / job_id) if kept else delivery

    async def find(self, job_id: str, recipe: Recipe) -> Delivery | None:
        """The files of an earlier attempt at the same job; None if there are none, or the recipe differs."""
        if self._folder is None:
            return None
        return await asyncio.to_thread(self._read, self._folder / job_id, recipe)

    async def remove(self, job_id: str) -> None:
        """Remove the kept files of a job, if there are any."""
        if self._folder is not None:
            await asyncio.to_thread(_remove, self._folder / job_id)

    async def tidy(self) -> None:
        """Remove files of jobs that ended elsewhere, and workspaces of workers that died."""
        await asyncio.to_thread(_remove_old, self._folder or Path(tempfile.gettempdir()))

    def _unlock(self, folder: Path) -> None:
        if (lock := self._locks.pop(folder, None)) is not None:
            os.close(lock)

    @staticmethod
    def _keep(folder: Path, job_id: str, recipe: Recipe, delivery: Delivery) -> bool:
        manifest = _Manifest(recipe, delivery.files, delivery.generating, delivery.encoding)
        try:
            _remove_old(folder)
            (delivery.folder / MANIFEST).write_bytes(_encode(manifest))
            _remove(folder / job_id)
            delivery.folder.rename(folder / job_id)
        except OSError as error:
            log.warning("audio is kept for this attempt only", job_id=job_id, error=str(error))
            return False
        return True

    @staticmethod
    def _read(folder: Path, recipe: Recipe) -> Delivery | None:
        try:
            found = _decode((folder / MANIFEST).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, *UNDECODABLE) as error:
            log.warning("kept audio is damaged; it is made again", job_id=folder.name, error=str(error))
            return None
        if found.recipe != recipe or not _is_complete(folder, found.files):
            return None
        return Delivery(folder, found.files, found.generating, found.encoding)


def _is_complete(folder: Path, files: ProducedFiles) -> bool:
    """Whether all files have their sizes: a machine that lost power may have lost their ends."""
    try:
        return all((folder / file.name).stat().st_size == file.size for file in files.every)
    except OSError:
        return False


def _remove_old(folder: Path) -> None:
    """Remove what this module made in a folder and no worker needs. Other files and folders stay."""
    try:
        for entry in folder.iterdir():
            with suppress(FileNotFoundError):  # another worker may remove it at the same time
                age = time.time() - entry.stat().st_mtime
                # A file is from an earlier version.
                is_kept = age > MAX_AGE and (entry.is_file() or (entry / MANIFEST).is_file())
                if is_kept or (age > ORPHAN_AGE and entry.name.startswith(WORKSPACE) and _is_orphan(entry)):
                    _remove(entry)
    except FileNotFoundError:
        pass
    except OSError as error:
        log.warning("old kept audio cannot be removed", folder=str(folder), error=str(error))


def _is_orphan(workspace: Path) -> bool:
    """Whether no process holds the workspace."""
    descriptor = os.open(workspace, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _remove(folder: Path) -> None:
    try:
        if folder.is_file():
            folder.unlink()  # of an earlier version
        else:
            shutil.rmtree(folder)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        log.warning("kept audio cannot be removed", folder=str(folder), error=str(error))
