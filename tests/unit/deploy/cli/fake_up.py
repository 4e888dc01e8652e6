"""A data folder of an `up` that appears to run: the test process stands in for all its children."""

import os
import pwd
from pathlib import Path

import psutil
import pytest

from deploy.stack.credentials import Credentials, load_credentials
from deploy.stack.data_folder import RunningProcess, write_run_file

URLS = {
    "nats": "nats://127.0.0.1:4222",
    "s3": "http://127.0.0.1:8333",
    "worker": "http://127.0.0.1:9000/metrics",
    "gateway": "http://127.0.0.1:8123",
}


def fake_up(data_dir: Path, *roles: str, alive: bool = True) -> Credentials:
    """Write the run file and credentials of an `up` with the given roles, or all; return the credentials."""
    born = psutil.Process().create_time() if alive else 1.0
    write_run_file(
        data_dir,
        [RunningProcess(role=role, pid=os.getpid(), urls=[URLS[role]], started=born) for role in roles or URLS],
    )
    return load_credentials(data_dir)


def without_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as a user unknown to the system, as in a container with `--user 1234`."""
    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)

    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
