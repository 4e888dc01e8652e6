"""Single steps are compared with those of other runtimes, which compute the same model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from bench.contestant_process import ContestantError, ContestantProcess
from bench.decode import main
from bench.step_contestants import STEP_CONTESTANTS, NativeStep, PyTorchStep, StepContestant, logits_of, random_codes
from bench.step_weights import Floats
from bench.steps import Case, best_tenth, check_logits
from tests.unit.worker.engine.batching.models import Tiny, config, write_checkpoint

TINY = Tiny(dim=128, heads=2, layers=3, codebook_size=64)
OTHER = Tiny(dim=128, heads=2, layers=3, codebook_size=64, seed=2)
PACKAGES = {"openvino": ("openvino",), "onnxruntime": ("onnx", "onnxruntime")}
CODES = [random_codes(3, TINY.codebooks, TINY.codebook_size, step) for step in range(20)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("steps")
    write_checkpoint(folder, TINY)
    return str(folder)


@pytest.fixture(scope="module")
def exact(model: str) -> Floats:
    return logits_of(PyTorchStep(model, 1, "float32"), CODES)


@pytest.mark.parametrize("name", STEP_CONTESTANTS)
def test_step_of_each_runtime_computes_the_same_model(name: str, model: str, exact: Floats) -> None:
    for package in PACKAGES.get(name, ()):
        pytest.importorskip(package, reason=f"{package} is not installed: `uv run --group peers pytest`")
    made = logits_of(STEP_CONTESTANTS[name](model, 1), CODES)
    errors = np.linalg.norm(made - exact, axis=-1) / np.linalg.norm(exact, axis=-1)
    assert 0 < errors.mean() < (0.6 if name == "int4" else 0.1)


class Here:
    """A contestant in this process instead of one of its own."""

    def __init__(self, make: Callable[..., StepContestant], *arguments: object, environment: object = None) -> None:
        self._contestant = make(*arguments)

    def call(self, function: Callable[..., Any], *arguments: object) -> Any:
        return function(self._contestant, *arguments)

    def close(self) -> None:
        pass


def compared(own: str, other: str) -> dict[str, float]:
    processes = {"engine": Here(NativeStep, own, 1), "other": Here(PyTorchStep, other, 1, "float32")}
    return check_logits(cast(dict[str, ContestantProcess], processes), config(TINY))


def test_difference_to_the_same_model_is_told(model: str) -> None:
    assert 0 < compared(model, model)["other"] < 0.1


def test_graph_of_another_model_is_not_timed(model: str, tmp_path: Path) -> None:
    write_checkpoint(tmp_path, OTHER)
    with pytest.raises(ContestantError, match="other computes another model"):
        compared(model, str(tmp_path))


def test_native_steps_are_timed_beside_those_in_pytorch(
    model: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.steps.ContestantProcess", Here)
    (Path(model) / "compression_state_dict.bin").touch()
    main(["--checkpoint", model, "--compare", "pytorch", "--batch", "1,2", "--positions", "20", "--repetitions", "2"])
    figures: dict[str, Any] = msgspec.json.decode(capsys.readouterr().out.splitlines()[-1])
    assert [(case["users"], case["position"]) for case in figures["cases"]] == [(1, 20), (2, 20)]
    for case in figures["cases"]:
        assert case["engine"]["ratio"] == 1
        assert case["pytorch"]["median_ms"] >= case["pytorch"]["best_tenth_ms"] > 0


def test_figures_of_a_case() -> None:
    rounds = {"engine": [[0.010, 0.011, 0.012], [0.02, 0.02, 0.02]], "openvino": [[0.022] * 3, [0.06] * 3]}
    case = Case(1, 250, 0.5, rounds, {"engine": 200_000_000, "openvino": 220_000_000}, [20e9, 25e9, 10e9])
    figures = cast(dict[str, Any], case.figures())
    assert figures["bandwidth_gb_s"] == 20
    assert figures["best_bandwidth_gb_s"] == 25
    assert figures["engine"] == {
        "median_ms": 16.0, "best_tenth_ms": 10.0, "ratio": 1.0, "best_tenth_ratio": 1.0, "gb_s": 20.0,
        "share_of_bandwidth": 0.8,
    }  # fmt: skip
    assert figures["openvino"]["ratio"] == 2.5
    assert figures["openvino"]["best_tenth_ratio"] == 2.2


def test_best_tenth_is_the_mean_of_the_smallest() -> None:
    assert best_tenth([5.0, *[9.0] * 18, 1.0]) == 3.0
    assert best_tenth([4.0, 2.0]) == 2.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--compare", "audiocraft,openvino"], "compare them in another run"),
        (["--compare", "pytorch", "--batch", "1,8"], "need --positions"),
        (["--compare", "onnx"], "choose none, or any of"),
    ],
)
def test_comparison_that_cannot_be_made_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err


def test_position_beyond_the_window_is_refused(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    (Path(model) / "compression_state_dict.bin").touch()
    with pytest.raises(SystemExit):
        main(["--checkpoint", model, "--compare", "pytorch", "--positions", "1500"])
    assert "choose less than" in capsys.readouterr().err
