"""The same targets under a coverage-guided fuzzer, each in a separate process."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.fuzz.test_targets import TARGETS

# Its process starts within a few seconds.
QUICK = ("chunk",)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    everything = "fuzz" in str(metafunc.config.option.markexpr)
    metafunc.parametrize("name", list(TARGETS) if everything else QUICK)


@pytest.mark.timeout(600)
def test_targets_survive_coverage_guided_input(name: str, inputs: int) -> None:
    argv = [sys.executable, "-m", "tests.fuzz.guided", name, f"--inputs={inputs}"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, errors="replace", timeout=580)
    assert done.returncode == 0, done.stderr[-5000:]
    assert f"Done {inputs} runs" in done.stderr
