"""Which files the spool keeps, finds and removes."""

import os
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from shared.files import Output
from shared.messages import Recipe
from worker.delivery.encoded_files import EncodedFiles, OutputFile, make_audio_file
from worker.delivery.spool import MAX_AGE, Spool

JOB = "gen_000000000000"
RECIPE = Recipe(model="starter", prompt="tone", duration=0.1, outputs=("midi",))
MIDI = OutputFile(Output(kind="midi", name="audio.mid", key="k", size=4, sha256="0"), b"MThd", {"generator": "test"})
FILES = EncodedFiles(make_audio_file([np.zeros((3200, 1), np.float32)], 32_000, RECIPE), [MIDI], 1.5, 0.25)


async def test_kept_files_are_found_until_they_are_removed(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "spool"))
    assert await spool.find(JOB, RECIPE) is None
    await spool.save(JOB, RECIPE, FILES)
    # By a new process, too.
    assert await Spool(str(tmp_path / "spool")).find(JOB, RECIPE) == FILES
    for _ in range(2):
        await spool.remove(JOB)
    assert await spool.find(JOB, RECIPE) is None
    assert list((tmp_path / "spool").iterdir()) == []


async def test_files_of_another_recipe_are_not_found(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    await spool.save(JOB, RECIPE, FILES)
    assert await spool.find(JOB, replace(RECIPE, seed=1)) is None


async def test_a_damaged_file_is_not_found(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    await spool.save(JOB, RECIPE, FILES)
    (tmp_path / JOB).write_bytes((tmp_path / JOB).read_bytes()[:100])
    assert await spool.find(JOB, RECIPE) is None


async def test_disk_errors_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spool = Spool(str(tmp_path / "file" / "spool"))
    await spool.save(JOB, RECIPE, FILES)
    await spool.remove(JOB)
    assert await spool.find(JOB, RECIPE) is None


@pytest.mark.parametrize("tidies", ["tidy", "keep"])
async def test_foreign_folders_are_left_alone(tmp_path: Path, tidies: str) -> None:
    """Such as lost+found on a newly formatted disk."""
    spool, foreign = Spool(str(tmp_path)), tmp_path / "lost+found"
    foreign.mkdir()
    os.utime(foreign, (0, 0))
    await (spool.tidy() if tidies == "tidy" else spool.save(JOB, RECIPE, FILES))
    assert foreign.is_dir()
    assert await spool.find(JOB, RECIPE) == (FILES if tidies == "keep" else None)


async def test_old_files_are_removed(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    await spool.save(JOB, RECIPE, FILES)
    await spool.save("gen_000000000001", RECIPE, FILES)
    long_ago = (tmp_path / JOB).stat().st_mtime - MAX_AGE - 1
    os.utime(tmp_path / JOB, (long_ago, long_ago))
    await spool.tidy()
    assert [file.name for file in tmp_path.iterdir()] == ["gen_000000000001"]


async def test_the_spool_keeps_nothing_without_a_folder() -> None:
    spool = Spool("")
    await spool.save(JOB, RECIPE, FILES)
    await spool.tidy()
    await spool.remove(JOB)
    assert await spool.find(JOB, RECIPE) is None
