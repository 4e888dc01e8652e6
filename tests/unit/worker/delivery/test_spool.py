"""Which files the spool keeps, finds and removes, and what becomes of workspaces."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from shared.files import Audio, Output
from shared.messages import Recipe
from worker.delivery.spool import MANIFEST, MAX_AGE, ORPHAN_AGE, Delivery, Spool
from worker.production.produced_files import ProducedFiles

JOB = "gen_000000000000"
RECIPE = Recipe(model="starter", prompt="tone", duration=0.1, outputs=("midi",))
FILES = ProducedFiles(
    audio=Audio(key=f"jobs/{JOB}/audio.wav", size=4, duration=1, sample_rate=32_000, channels=1, sha256="0"),
    outputs=(Output(kind="midi", name="audio.mid", key=f"jobs/{JOB}/audio.mid", size=5, sha256="1"),),
)


def produced(spool: Spool) -> Delivery:
    """Files in a new workspace."""
    folder = spool.open_workspace()
    (folder / "audio.wav").write_bytes(b"RIFF")
    (folder / "audio.mid").write_bytes(b"MThd!")
    return Delivery(folder, FILES, 1.5, 0.25)


async def save(spool: Spool, job_id: str = JOB) -> Delivery:
    return await spool.save(job_id, RECIPE, produced(spool))


async def test_kept_files_are_found_until_they_are_removed(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path / "spool"))
    assert await spool.find(JOB, RECIPE) is None
    kept = await save(spool)
    assert kept.folder == tmp_path / "spool" / JOB
    assert (kept.folder / "audio.wav").read_bytes() == b"RIFF"
    # By a new process, too.
    assert await Spool(str(tmp_path / "spool")).find(JOB, RECIPE) == kept
    for _ in range(2):
        await spool.remove(JOB)
    assert await spool.find(JOB, RECIPE) is None
    assert list((tmp_path / "spool").iterdir()) == []


async def test_later_files_of_a_job_replace_earlier_ones(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    await save(spool)
    assert await save(spool) == await spool.find(JOB, RECIPE)
    assert [entry.name for entry in tmp_path.iterdir()] == [JOB]


async def test_files_of_another_recipe_are_not_found(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    await save(spool)
    assert await spool.find(JOB, replace(RECIPE, seed=1)) is None


@pytest.mark.parametrize("name", [MANIFEST, "audio.wav", "audio.mid"])
async def test_damaged_files_are_not_found(tmp_path: Path, name: str) -> None:
    spool = Spool(str(tmp_path))
    kept = await save(spool)
    (kept.folder / name).write_bytes((kept.folder / name).read_bytes()[:-1])
    assert await spool.find(JOB, RECIPE) is None


async def test_disk_errors_leave_the_files_in_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    spool = Spool(str(tmp_path / "file" / "spool"))
    delivery = produced(spool)
    assert await spool.save(JOB, RECIPE, delivery) == delivery
    assert (delivery.folder / "audio.wav").read_bytes() == b"RIFF"
    await spool.remove(JOB)
    assert await spool.find(JOB, RECIPE) is None
    await spool.close_workspace(delivery.folder)
    assert not delivery.folder.exists()


async def test_a_workspace_is_removed_unless_it_was_kept(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    first = produced(spool)
    await spool.close_workspace(first.folder)
    assert list(tmp_path.iterdir()) == []
    second = produced(spool)
    kept = await spool.save(JOB, RECIPE, second)
    await spool.close_workspace(second.folder)
    assert await spool.find(JOB, RECIPE) == kept


async def test_workspaces_of_workers_that_died_are_removed(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    alive = produced(spool).folder
    source = f"import os; from worker.delivery.spool import Spool; print(Spool({str(tmp_path)!r}).open_workspace())"
    dead = Path(subprocess.check_output([sys.executable, "-c", source], text=True).strip())
    (dead / "audio.wav").write_bytes(b"RIFF")
    for folder in (alive, dead):
        long_ago = folder.stat().st_mtime - ORPHAN_AGE - 1
        os.utime(folder, (long_ago, long_ago))
    await Spool(str(tmp_path)).tidy()
    assert list(tmp_path.iterdir()) == [alive]
    await spool.close_workspace(alive)


@pytest.mark.parametrize("tidies", ["tidy", "keep"])
async def test_foreign_folders_are_left_alone(tmp_path: Path, tidies: str) -> None:
    """Such as lost+found on a newly formatted disk."""
    spool, foreign = Spool(str(tmp_path)), tmp_path / "lost+found"
    foreign.mkdir()
    os.utime(foreign, (0, 0))
    await (spool.tidy() if tidies == "tidy" else save(spool))
    assert foreign.is_dir()
    assert (await spool.find(JOB, RECIPE) is not None) is (tidies == "keep")


async def test_old_files_are_removed(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path))
    await save(spool)
    await save(spool, "gen_000000000001")
    long_ago = (tmp_path / JOB).stat().st_mtime - MAX_AGE - 1
    os.utime(tmp_path / JOB, (long_ago, long_ago))
    await spool.tidy()
    assert [file.name for file in tmp_path.iterdir()] == ["gen_000000000001"]


async def test_the_spool_keeps_nothing_without_a_folder() -> None:
    spool = Spool("")
    delivery = produced(spool)
    assert await spool.save(JOB, RECIPE, delivery) == delivery
    await spool.remove(JOB)
    assert await spool.find(JOB, RECIPE) is None
    await spool.close_workspace(delivery.folder)
    assert not delivery.folder.exists()
