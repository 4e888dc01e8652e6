import csv
from pathlib import Path

import pytest

from training import data, export, train


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained for some steps, stopped, gone on with, and written. Beside it is what it was trained on."""
    folder = tmp_path_factory.mktemp("starter")
    pieces, run, out = (folder / name for name in ("pieces", "run", "out"))
    data.main(["--folder", str(pieces), "--pieces", "400", "--processes", "1"])
    for last in ("4", "8"):
        train.main(["--data", str(pieces), "--out", str(run), "--steps", last, "--dim", "64", "--layers", "1"])
    with (run / "losses.csv").open() as file:
        steps = [int(row[0]) for row in csv.reader(file)]
    assert steps == [4, 8]
    export.main(["--run", str(run), "--out", str(out)])
    return out
