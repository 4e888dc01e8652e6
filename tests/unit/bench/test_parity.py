"""The check that our engine makes audiocraft's tokens, seen passing, failing and refusing."""

import math
import shutil
from functools import partialmethod
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from audiocraft.models import MusicGen
from omegaconf import OmegaConf

from bench import parity
from bench.engines import load_audiocraft
from bench.parity import Mismatch, find_mismatch, main

# Seconds: short, because audiocraft makes every step of it for every prompt.
WINDOW = 5
PROMPTS = ["upbeat jazz with piano", "slow techno", "a märchen, sung"]

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture(scope="module")
def checkpoint(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parity") / "checkpoint"
    shutil.copytree(checkpoint, folder)
    file = folder / "state_dict.bin"
    package = torch.load(file, weights_only=True)
    configuration = OmegaConf.create(package["xp.cfg"])
    configuration.dataset.segment_duration = WINDOW
    torch.save({**package, "xp.cfg": OmegaConf.to_yaml(configuration)}, file)
    return folder


@pytest.fixture(autouse=True)
def no_default_stride(monkeypatch: pytest.MonkeyPatch) -> None:
    """audiocraft begins with a stride of 18 s, and refuses windows that are not longer; `set_pieces` sets ours."""
    begin = partialmethod(MusicGen.set_generation_params, extend_stride=WINDOW / 2)
    monkeypatch.setattr(MusicGen, "set_generation_params", begin)


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    file = tmp_path / "prompts.txt"
    file.write_text("\n\n".join(PROMPTS) + "\n \n", encoding="utf-8")
    return file


def run(checkpoint: Path, prompts: Path, *options: str) -> int:
    return main(["--checkpoint", str(checkpoint), "--prompts", str(prompts), "--device", "cpu", *options])


@pytest.mark.parametrize(("seconds", "slots"), [(1.205, 1), (WINDOW + 0.5, 2), (1.21, 8)])
def test_all_tokens_are_the_same_in_a_crowded_batch_and_beyond_the_window(
    checkpoint: Path, prompts: Path, seconds: float, slots: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(checkpoint, prompts, "--seconds", str(seconds), "--slots", str(slots)) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert msgspec.json.decode(last) == {"prompts": 3, "identical": 3, "first_mismatch": None}
    assert all(line.startswith(f"identical: {math.ceil(seconds * 50)} frames") for line in lines)
    assert f"joined beside {min(slots, 3) - 1} others" in lines[-1]


def test_altered_weights_of_one_codebook_are_found(
    checkpoint: Path, prompts: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def altered(*arguments: Any, **options: Any) -> Any:
        model = load_audiocraft(*arguments, **options)
        with torch.no_grad():
            # The third codebook's codes are all one off, from its first frame on.
            model.lm.linears[2].weight.copy_(model.lm.linears[2].weight.roll(1, 0))
        return model

    monkeypatch.setattr(parity, "load_audiocraft", altered)
    assert run(checkpoint, prompts, "--seconds", "1") == 1
    *lines, last = capsys.readouterr().out.splitlines()
    mismatch = {"prompt": PROMPTS[0], "codebook": 2, "frame": 0}
    assert msgspec.json.decode(last) == {"prompts": 3, "identical": 0, "first_mismatch": mismatch}
    assert all(line.startswith("differs at codebook 2, frame 0") for line in lines)


def test_the_first_mismatch_is_the_one_predicted_first() -> None:
    reference = torch.zeros(4, 10, dtype=torch.int64)
    ours = reference.clone()
    ours[3, 2] = ours[0, 4] = 1
    assert find_mismatch(ours, reference, [0, 1, 2, 3]) == Mismatch(codebook=0, frame=4)
    assert find_mismatch(reference[:, :9], reference, [0, 1, 2, 3]) == Mismatch(codebook=0, frame=9)
    assert find_mismatch(reference, reference, [0, 1, 2, 3]) is None


def test_nothing_to_compare_exits_with_2_and_a_message(
    checkpoint: Path, prompts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n")
    endless = tmp_path / "endless.txt"
    endless.write_text("piano " * 600)
    for folder, file, message in [
        (checkpoint, endless, "shorten it"),
        (tmp_path / "nowhere", prompts, "is not a checkpoint: it lacks state_dict.bin"),
        (checkpoint, empty, "has no prompts"),
        (checkpoint, tmp_path / "missing.txt", "No such file"),
    ]:
        with pytest.raises(SystemExit) as exit_info:
            run(folder, file)
        assert exit_info.value.code == 2
        assert message in capsys.readouterr().err
