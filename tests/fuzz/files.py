"""Targets: files that people write and programs leave, and the environment."""

import atexit
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np

from deploy.stack.credentials import CREDENTIALS_FILE, Credentials, S3Keys, load_credentials
from deploy.stack.data_folder import RUN_FILE, RunningProcess, find_process, read_run_file
from gateway.access.api_keys import load_keys
from shared.errors import MusicgenError, SettingsError
from shared.files import Audio, AudioFormat
from shared.messages import Recipe
from shared.music import Measured, Music
from shared.settings import Settings, load_settings
from tests.fuzz.target import Target
from worker.delivery.spool import MANIFEST, Spool, _encode, _Manifest
from worker.production.formats import NoRecipeError, read_recipe, tags_for, write_audio
from worker.production.produced_files import ProducedFiles

MEMORY = Path("/dev/shm")
FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-", dir=MEMORY if MEMORY.is_dir() else None))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

RECIPE = Recipe(model="starter", prompt="a tone", duration=1.0)
AUDIO = Audio(key="jobs/j/audio.wav", size=0, sha256="0" * 64, duration=1.0, sample_rate=32_000, channels=1)


def written(name: str, data: bytes) -> Path:
    file = FOLDER / name
    file.write_bytes(data)
    return file


def keys(data: bytes) -> None:
    """A file of API keys: it holds some, or the message says why not, and tells none of them."""
    settings = load_settings({"API_KEYS_FILE": str(written("keys", data))})
    complaint = "API_KEYS"
    try:
        assert load_keys(settings)
    except SettingsError as error:
        complaint = str(error)
    assert "API_KEYS" in complaint


def spool(data: bytes) -> None:
    """What a worker finds on its disk is whole, or is made again."""
    written(MANIFEST, data)
    found = Spool._read(FOLDER, RECIPE)
    assert found is None or isinstance(found.files.audio.size, int)


def credentials(data: bytes) -> None:
    """The passwords of a local stack."""
    written(CREDENTIALS_FILE, data)
    with suppress(MusicgenError):
        load_credentials(FOLDER).nats_environment()


def run_file(data: bytes) -> None:
    """The processes of a local stack."""
    written(RUN_FILE, data)
    for process in read_run_file(FOLDER):
        find_process(process)


def audio_file(data: bytes) -> None:
    """An audio file has a recipe of ours, or the message says that it has none that this version can follow."""
    try:
        assert isinstance(read_recipe(written("take", data)), Recipe)
    except NoRecipeError as error:
        complaint = str(error)
        assert "recipe" in complaint


def audio_seed(audio_format: AudioFormat) -> bytes:
    """A short file of that format."""
    path, samples = FOLDER / "seed", np.zeros((10, 1), np.int16)
    write_audio(path, samples, 32_000, audio_format, tags_for(RECIPE, Music(), Measured(), None, 10, 32_000))
    return path.read_bytes()


def environment(data: bytes) -> None:
    """Settings: all are right, or the message names a variable that is there."""
    lines = data.decode(errors="replace").replace("\0", "").splitlines()  # no environment holds a NUL
    values = {name: value for name, equals, value in (line.partition("=") for line in lines) if equals}
    complaint = ""
    try:
        assert len(load_settings(values).allowed_origins) <= len(data)
    except SettingsError as error:
        complaint = str(error)
    assert not complaint or any(name in complaint for name in values)


DEFAULTS = "\n".join(f"{name.upper()}={getattr(Settings(), name)}" for name in Settings.__struct_fields__)

TARGETS = {
    "audio_file": Target(audio_file, [audio_seed(audio_format) for audio_format in get_args(AudioFormat)]),
    "keys": Target(keys, [b"daw:" + b"d" * 32 + b"  # the DAW\nweb:" + b"w" * 32 + b", cli:" + b"c" * 32 + b"\n"]),
    "spool": Target(spool, [_encode(_Manifest(RECIPE, ProducedFiles(audio=AUDIO), 1.0, 0.1))]),
    "credentials": Target(
        credentials, [msgspec.json.encode(Credentials({"worker": "w" * 40}, {"worker": S3Keys("a" * 20, "s" * 40)}))]
    ),
    "run_file": Target(run_file, [msgspec.json.encode([RunningProcess(role="nats", pid=1, urls=["nats://h:1"])])]),
    "environment": Target(environment, [DEFAULTS.encode(), b"CORS_ORIGINS=https://a.example:1, http://b.example\n"]),
}
