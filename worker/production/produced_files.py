"""The files of a job in a folder on disk, and their descriptions."""

import hashlib
from pathlib import Path

import msgspec

from shared.files import Audio, Output
from shared.messages import Seed
from shared.music import Measured, Music


class ProducedFiles(msgspec.Struct, frozen=True, kw_only=True):
    """All files of a job: fields of its record. The last part of each key is the file's name in the folder.

    Attributes:
        seed: of the take, if it is not the recipe's.
        is_silent: whether the audio is silent to the end.
    """

    audio: Audio
    outputs: tuple[Output, ...] = ()
    extras: tuple[Output, ...] = ()
    music: Music | None = None
    measured: Measured | None = None
    seed: Seed | None = None
    warnings: tuple[str, ...] = ()
    is_silent: bool = False

    @property
    def every(self) -> tuple[Audio | Output, ...]:
        return (self.audio, *self.outputs, *self.extras)


def sha256_of(path: Path) -> str:
    """The checksum of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
