"""The whole measurement, in miniature."""

import json
from pathlib import Path

import pytest

from training import evaluate
from training.evaluation.table import ROWS

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.timeout(600),  # it trains: minutes on a slow machine
]


def test_a_checkpoint_is_measured(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.evaluate.LONG", 16.0)
    folder, report = tmp_path / "pictures", tmp_path / "report.json"
    arguments = f"--captions 8 --seconds 4 --long 1 --read 200 --listened 20 --slots 3 --json {report}"
    evaluate.main([
        "--model", str(checkpoint), "--data", str(checkpoint.parent / "pieces"), "--spectrograms", str(folder),
        "--losses", str(checkpoint.parent / "run" / "losses.csv"), *arguments.split(),
    ])  # fmt: skip
    printed = capsys.readouterr().out.splitlines()
    found = json.loads(printed[-1])
    assert json.loads(report.read_text()) == found
    rows = {row["name"]: row for row in found["rows"]}
    assert set(rows) == {row.name for row in ROWS}
    assert rows["no clipping"]["figure"] == 1.0
    # An untrained model adds instruments of its own, and the generator does not. The engine gives it tempo and players.
    unrequested = rows["no unrequested instruments"]
    assert unrequested["met"] is False
    assert unrequested["figure"] < unrequested["ceiling"]
    assert rows["tempo, conductor"]["figure"] == 1.0
    assert len(list(folder.glob("*.png"))) == 3
    assert (checkpoint.parent / "run" / "losses.png").exists()
