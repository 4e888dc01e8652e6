"""Keeps finished files on the worker's disk while S3 is away, so that a restarted worker only has to upload them."""

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from shared.logs import get_logger
from shared.messages import UNDECODABLE, Recipe
from worker.delivery.encoded_files import EncodedFiles

log = get_logger(__name__)

# Seconds after which a file is removed, because its job has ended elsewhere.
MAX_AGE = 24 * 3600.0


class _Spooled(msgspec.Struct):
    recipe: Recipe
    files: EncodedFiles


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Spooled).decode


class Spool:
    """One file per job, in a folder that workers on the same machine may share. Without a folder it keeps nothing.

    The audio is in memory as well, so an error of the disk is logged and otherwise ignored.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder).expanduser() if folder else None

    async def save(self, job_id: str, recipe: Recipe, files: EncodedFiles) -> None:
        """Write the files of a job, atomically."""
        if self._folder is not None:
            await asyncio.to_thread(self._write, self._folder, job_id, _Spooled(recipe, files))

    async def find(self, job_id: str, recipe: Recipe) -> EncodedFiles | None:
        """The files of an earlier attempt at the same job; None if there are none, or the recipe differs."""
        if self._folder is None:
            return None
        return await asyncio.to_thread(self._read, self._folder / job_id, recipe)

    async def remove(self, job_id: str) -> None:
        """Remove the files of a job, if there are any."""
        if self._folder is not None:
            await asyncio.to_thread(_unlink, self._folder / job_id)

    async def tidy(self) -> None:
        """Remove files of jobs that ended elsewhere."""
        if self._folder is not None and self._folder.is_dir():
            await asyncio.to_thread(_remove_old, self._folder)

    @staticmethod
    def _write(folder: Path, job_id: str, spooled: _Spooled) -> None:
        draft = folder / f".{job_id}.{os.getpid()}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _remove_old(folder)
            draft.write_bytes(_encode(spooled))
            draft.replace(folder / job_id)
        except OSError as error:
            log.warning("audio is kept in memory only", job_id=job_id, error=str(error))
            _unlink(draft)

    @staticmethod
    def _read(file: Path, recipe: Recipe) -> EncodedFiles | None:
        try:
            spooled = _decode(file.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, *UNDECODABLE) as error:
            log.warning("kept audio is damaged; it is made again", job_id=file.name, error=str(error))
            return None
        return spooled.files if spooled.recipe == recipe else None


def _remove_old(folder: Path) -> None:
    try:
        for file in folder.iterdir():
            with suppress(FileNotFoundError):  # another worker may remove it at the same time
                if file.is_file() and time.time() - file.stat().st_mtime > MAX_AGE:
                    file.unlink()
    except OSError as error:
        log.warning("old kept audio cannot be removed", folder=str(folder), error=str(error))


def _unlink(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        log.warning("kept audio cannot be removed", file=str(file), error=str(error))
