"""The recipe of the starter, in miniature."""

from pathlib import Path

import pytest

from training.__main__ import main

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.timeout(600),  # it trains: minutes on a slow machine
]

MEASURED = "--captions 4 --seconds 2 --long 1 --read 200 --listened 8 --slots 2"


def test_one_command_runs_the_recipe_and_resumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.train.HELD_OUT", 32)
    monkeypatch.setattr("training.evaluate.LONG", 16.0)
    for steps in (1, 2):
        main(f"--folder {tmp_path} --pieces 150 --steps {steps} {MEASURED}".split())
        assert "tempo, conductor" in capsys.readouterr().out
        logged = (tmp_path / "run" / "losses.csv").read_text().splitlines()
        assert [int(line.split(",")[0]) for line in logged] == list(range(1, steps + 1))
    assert (tmp_path / "model" / "state_dict.bin").exists()
