"""Failpoints are armed by the environment, and unknown names are rejected."""

import subprocess
import sys

import pytest

from shared.errors import SettingsError
from shared.failpoint import POINTS, arm, failpoint
from tests.conftest import ROOT

PROGRAM = "from shared.failpoint import arm, failpoint; arm(); failpoint('worker.after_put'); print('alive')"


def run(point: str) -> subprocess.CompletedProcess[str]:
    environment = {"MUSICGEN_FAILPOINT": point, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def test_the_process_dies_only_at_the_armed_failpoint() -> None:
    assert run("worker.after_put").returncode == -9
    other = run("worker.after_event")
    assert (other.returncode, other.stdout.splitlines()[-1]) == (0, "alive")


def test_an_unknown_failpoint_stops_the_start() -> None:
    with pytest.raises(SettingsError, match=r"worker\.after_put"):
        arm({"MUSICGEN_FAILPOINT": "worker.sometime"})


def test_no_failpoint_is_armed_by_default() -> None:
    arm({})
    for name in POINTS:
        failpoint(name)
