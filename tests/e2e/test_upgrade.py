"""This version continues the data folder of an earlier one, whose processes were killed in the middle of their work."""

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import aiohttp
import nats
import pytest

from shared.settings import load_settings
from shared.storage import Storage
from tests.e2e.conftest import Start
from tests.e2e.make_earlier_data import ARCHIVE, DATA, JOBS, JOBS_FILE, key_of
from tests.e2e.test_up import until
from tests.faults.checker import check_history
from tests.faults.history import History

pytestmark = pytest.mark.e2e

# The archive gets older, but its audio must not expire.
YEARS = "3650"


@pytest.fixture
def earlier(tmp_path: Path) -> dict[str, dict[str, str]]:
    """The jobs in the data folder of the test."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    assert (tmp_path / DATA / "credentials.json").stat().st_mode & 0o777 == 0o600
    jobs: dict[str, dict[str, str]] = json.loads((tmp_path / JOBS_FILE).read_text())["jobs"]
    assert {name: job["status"] for name, job in jobs.items()} == {
        "finished": "completed",
        "failed": "failed",
        "running": "processing",
        "cancelled": "cancelled",
        "waiting": "queued",
        "waiting too": "queued",
    }
    return jobs


async def test_every_job_of_an_earlier_version_is_served_or_made_once(
    up: Start, earlier: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    stack = up(MAX_AUDIO_DAYS=YEARS).start()
    expected = {
        name: "completed" if job["status"] in ("queued", "processing") else job["status"]
        for name, job in earlier.items()
    }
    for name, status in expected.items():
        await until(stack, earlier[name]["job_id"], status, timeout=90)

    async with aiohttp.ClientSession(stack.url) as http:
        for name, status in expected.items():
            if status == "completed":
                audio = await _download(http, earlier[name]["job_id"])
                assert audio[:4] == b"RIFF"
                assert hashlib.sha256(audio).hexdigest() == earlier[name].get(
                    "sha256", hashlib.sha256(audio).hexdigest()
                )
        # A client that got no answer before the upgrade repeats its request, and gets the job that it has.
        for name, fields in JOBS.items():
            async with http.post("/api/v1/generate", json=fields, headers=key_of(name)) as got:
                assert (got.status, (await got.json())["job_id"]) == (200, earlier[name]["job_id"])
        async with http.get("/api/v1/jobs") as got:
            assert (await got.json())["total"] == len(JOBS)
        # What this version added works on the old streams: several takes are one atomic batch, lanes are consumers.
        takes = await _takes(http, {"prompt": "tone", "duration": 0.5, "variations": 2, "priority": "batch"})
    for job_id in takes:
        await until(stack, job_id, "completed")

    history = History(tmp_path / "history.jsonl")
    history.accepted.update(takes, (job["job_id"] for job in earlier.values()))
    environment = stack.environment()
    client = await nats.connect(environment["NATS_URL"])
    report = await check_history(client, Storage(load_settings(environment)), history)
    await client.close()
    assert report.problems == []
    assert (report.completed, report.failed, report.cancelled) == (6, 1, 1)
    assert stack.stop() == 0


async def _download(http: aiohttp.ClientSession, job_id: str) -> bytes:
    async with http.get(f"/api/v1/download/{job_id}") as got:
        assert got.status == 200
        return await got.read()


async def _takes(http: aiohttp.ClientSession, body: dict[str, Any]) -> list[str]:
    async with http.post("/api/v1/generate", json=body) as got:
        answer = await got.json()
        assert got.status == 200, answer
        return [take["job_id"] for take in answer["takes"]]
