"""Makes the data folder that an earlier version left behind, for `test_upgrade.py`.

    uv run python -m tests.e2e.make_earlier_data COMMIT

runs `musicgen up` of that commit and kills every process while one job of each kind is there: finished, failed,
cancelled, running, and waiting. Only its packages differ from those of then: the ones that are installed are used.
"""

import argparse
import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
import nats

from deploy.stack.credentials import load_credentials
from deploy.stack.ports import free_ports
from shared import subjects
from tests.conftest import ROOT
from tests.integration.system import eventually

ARCHIVE = Path(__file__).with_name("earlier_data.tar.xz")
# In the archive: the version, and each job's id, status and the SHA-256 of its audio.
JOBS_FILE = "jobs.json"
DATA = "data"
# Parts of a data folder that another start makes again.
LEFT_OUT = ("logs", "lock", "run.json")

JOBS: dict[str, dict[str, Any]] = {
    "finished": {"prompt": "tone", "duration": 0.5, "seed": 7},
    "failed": {"prompt": "fail", "duration": 0.5},
    "running": {"prompt": "slow", "duration": 4},
    "cancelled": {"prompt": "tone", "duration": 0.5},
    "waiting": {"prompt": "tone", "duration": 0.5},
    "waiting too": {"prompt": "tone", "duration": 0.5, "seed": 8},
}


async def main() -> None:
    """Write the archive."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", parser.parse_args().commit],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    with tempfile.TemporaryDirectory() as folder:
        code, data = Path(folder, "code"), Path(folder, DATA)
        code.mkdir()
        with subprocess.Popen(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE) as archive:
            subprocess.run(["tar", "-x", "-C", code], stdin=archive.stdout, check=True)
        jobs = await _run(code, data)
        Path(folder, JOBS_FILE).write_text(json.dumps({"version": commit, "jobs": jobs}, indent=2))
        with tarfile.open(ARCHIVE, "w:xz") as tar:
            for name in (JOBS_FILE, DATA):
                tar.add(Path(folder, name), name, filter=_kept)
    print(f"{ARCHIVE.relative_to(ROOT)}: {ARCHIVE.stat().st_size} bytes")


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return None if Path(member.name).name in LEFT_OUT else member


async def _run(code: Path, data: Path) -> dict[str, dict[str, str]]:
    (port,) = free_ports(1)
    environment = {"PYTHONPATH": str(code), "MUSICGEN_ENGINE": "tests.engines:load", "MAX_CONCURRENT_JOBS": "1"}
    argv = [sys.executable, "-m", "deploy.cli.main", "up", "--data-dir", str(data), "--port", str(port)]
    with subprocess.Popen(argv, cwd=code, env=os.environ | environment, start_new_session=True) as up:
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
                return await _make_jobs(http, data)
        finally:
            _kill(up, data)


def _kill(up: "subprocess.Popen[bytes]", data: Path) -> None:
    """Kill all processes as they are: none hands a job back, and none is started again."""
    up.send_signal(signal.SIGSTOP)
    for process in json.loads((data / "run.json").read_text()):
        os.kill(process["pid"], signal.SIGKILL)
    up.kill()


async def _make_jobs(http: aiohttp.ClientSession, data: Path) -> dict[str, dict[str, str]]:
    async def is_ready() -> bool:
        try:
            async with http.get("/health") as got:
                return [worker["state"] for worker in (await got.json())["workers"]] == ["ready"]
        except aiohttp.ClientError:
            return False

    await eventually(is_ready, "the model is loaded", 120)
    await _keep_for_ever(data)
    made: dict[str, dict[str, str]] = {}
    for name, fields in JOBS.items():
        async with http.post("/api/v1/generate", json=fields, headers=key_of(name)) as got:
            assert got.status == 200, await got.text()
            made[name] = {"job_id": (await got.json())["job_id"]}
        if name == "cancelled":
            async with http.delete(f"/api/v1/jobs/{made[name]['job_id']}") as got:
                assert got.status == 200, await got.text()
        expected = {"finished": "completed", "running": "processing"}.get(name, name.split()[0])
        made[name]["status"] = await _until(http, made[name]["job_id"], expected.replace("waiting", "queued"))
    async with http.get(f"/api/v1/download/{made['finished']['job_id']}") as got:
        made["finished"]["sha256"] = hashlib.sha256(await got.read()).hexdigest()
    return made


def key_of(name: str) -> dict[str, str]:
    """The header with which a job is requested, and requested again."""
    return {"Idempotency-Key": name.replace(" ", "-")}


async def _until(http: aiohttp.ClientSession, job_id: str, status: str) -> str:
    async def reached() -> bool:
        async with http.get(f"/api/v1/status/{job_id}") as got:
            return bool((await got.json())["status"] == status)

    await eventually(reached, f"{job_id} is {status}")
    return status


async def _keep_for_ever(data: Path) -> None:
    """Give records and events no maximum age, as an operator may. They would expire in the archive."""
    url = next(
        url for each in json.loads((data / "run.json").read_text()) if each["role"] == "nats" for url in each["urls"]
    )
    client = await nats.connect(url, user="operator", password=load_credentials(data).nats_passwords["operator"])
    js = client.jetstream()
    for stream in (f"KV_{subjects.JOBS_BUCKET}", subjects.EVENTS_STREAM):
        config = (await js.stream_info(stream)).config
        await js.update_stream(config.evolve(max_age=0))
    await client.close()


if __name__ == "__main__":
    asyncio.run(main())
