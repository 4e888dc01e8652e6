from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.evaluation import take_pictures
from training.evaluation.pictures import COLOURS, HEIGHT, MARGIN
from training.evaluation.take_pictures import SCALE
from worker.engine.loading.checkpoints import STARTER_FOLDER


def test_sheets_of_takes_are_drawn_with_their_notes_and_are_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(take_pictures, "PROMPTS", ("drum loop, 96 bpm", "solo flute", "solo piano"))
    monkeypatch.setattr(take_pictures, "ON_SHEET", 2)
    take_pictures.main(["--model", str(STARTER_FOLDER), "--out", str(tmp_path)])
    first, second = sorted(tmp_path.iterdir())
    assert (first.name, second.name) == ("takes-1.png", "takes-2.png")
    assert max(file.stat().st_size for file in (first, second)) < 150_000
    pixels = np.asarray(Image.open(first).convert("RGB"), int)
    roll = pixels[int(MARGIN * SCALE) + 1 : int((MARGIN + HEIGHT) * SCALE)]
    # Hits on the left, notes on the right: each the first track of its take.
    for half in np.split(roll, 2, axis=1):
        assert (np.abs(half - COLOURS[0]).sum(2) < 90).sum() > 100
