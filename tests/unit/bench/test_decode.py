"""The measurement of speed runs, and its figures fit together."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from bench.checkpoints import write_checkpoint
from bench.contestants import Timing
from bench.decode import main, summarize
from bench.sizes import Size
from worker.engine.batching.checkpoint import read_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


def measure(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    main([*arguments, "--device", "cpu", "--repetitions", "2"])
    figures: dict[str, Any] = msgspec.json.decode(capsys.readouterr().out.splitlines()[-1])
    return figures


def test_a_batch_is_measured_beside_audiocraft_and_transformers(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = measure(
        capsys, "--checkpoint", str(checkpoint), "--batch", "2", "--seconds", "1", "--join",
        "--compare", "audiocraft,transformers",
    )  # fmt: skip
    assert all(value is not None for value in figures.values())
    assert all(value > 0 for value in figures["join"].values())
    assert figures["engine"] == "batching float32"
    assert figures["aggregate_realtime"] == pytest.approx(2 * figures["realtime_factor"], rel=0.01)
    assert figures["first_chunk_s"] < 1 / figures["realtime_factor"]


def test_our_engine_is_measured_alone(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = measure(capsys, "--checkpoint", str(checkpoint), "--seconds", "0.5", "--compare", "none")
    assert figures["stock_ms_per_step"] is None
    assert figures["ratio"] is None
    assert figures["engine_ms_per_step"] > 0


def test_native_steps_are_measured_beside_those_in_pytorch(
    checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = measure(
        capsys, "--checkpoint", str(checkpoint), "--seconds", "0.5", "--compare", "pytorch", "--precision", "int8",
        "--step", "native",
    )  # fmt: skip
    assert figures["engine"].startswith("batching int8 ")
    assert figures["pytorch_ms_per_step"] > 0
    assert figures["ratio_pytorch_language_model"] > 0


def test_stock_audiocraft_is_measured_piece_by_piece() -> None:
    timings = {
        "engine": [Timing(wall=4.0, decoding=1.0, first_chunk=0.5, steps=100, turn=0.02)],
        "audiocraft": [Timing(wall=6.0, decoding=1.0, first_chunk=6.0, steps=100)],
    }
    figures = summarize(timings, batch=2, seconds=2.0)
    assert figures["ratio"] == 3.0
    assert figures["engine_ms_per_step"] == 30.0
    assert figures["stock_ms_per_step"] == 50.0
    assert figures["codec_ms_per_audio_s"] == 250.0
    assert figures["realtime_factor"] == 0.5
    assert figures["transformers_ms_per_step"] is None


def test_the_decode_engine_loads_random_weights_of_any_size(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, Size(dim=64, layers=3, heads=2))
    config = read_checkpoint(str(tmp_path)).config
    assert (config.dim, config.layers, config.heads, config.codebooks, config.codebook_size) == (64, 3, 2, 4, 2048)


@pytest.mark.parametrize("names", ["audiocraft,mlx", "everything"])
def test_an_unknown_contestant_is_refused(names: str) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["--compare", names])
    assert exit_info.value.code == 2


def test_a_folder_without_a_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["--checkpoint", str(tmp_path)])
    assert exit_info.value.code == 2
    assert "is not a checkpoint" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_an_unsupported_model_is_reported(checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["--checkpoint", str(checkpoint), "--device", "cuda"])
    assert exit_info.value.code == 2
    assert "PyTorch sees no GPU" in capsys.readouterr().err
