from pathlib import Path

import numpy as np
from PIL import Image

from tests.unit.training.evaluation.pieces import heard, written
from training.evaluation.pictures import HEIGHT, HIGHEST, LOWEST, MARGIN, draw_losses, draw_spectrogram, read_losses
from training.music import Spec

LARGEST = 150_000


def test_a_sine_is_a_line_at_its_frequency(tmp_path: Path) -> None:
    sine = np.sin(2 * np.pi * 1000 * np.arange(96_000) / 32_000).astype(np.float32)
    draw_spectrogram(np.stack([sine, sine]), "a sine", tmp_path / "sine.png")
    column = np.asarray(Image.open(tmp_path / "sine.png"))[MARGIN : MARGIN + HEIGHT, MARGIN + 400]
    expected = HEIGHT * (1 - np.log(1000 / LOWEST) / np.log(HIGHEST / LOWEST))
    assert abs(int(np.argmax(column)) - expected) <= 2


def test_spectrograms_are_small_files(tmp_path: Path) -> None:
    spec = Spec(genre="rock")
    draw_spectrogram(heard(spec, written(spec)).audio, "rock, " * 60, tmp_path / "rock.png")
    assert (tmp_path / "rock.png").stat().st_size < LARGEST


def test_losses_are_read_and_drawn(tmp_path: Path) -> None:
    file = tmp_path / "losses.csv"
    file.write_text("".join(f"{step},{step},1.0,{','.join(['0.5'] * 7)},{2 - step / 100}\n" for step in (50, 100, 150)))
    steps, losses = read_losses(file)
    assert steps.tolist() == [50, 100, 150]
    assert losses.shape == (3, 8)
    assert losses[:, 7].tolist() == [1.5, 1.0, 0.5]
    draw_losses(steps, losses, tmp_path / "losses.png")
    assert len(np.unique(np.asarray(Image.open(tmp_path / "losses.png")).reshape(-1, 3), axis=0)) > 10
    assert (tmp_path / "losses.png").stat().st_size < LARGEST
