"""The measurements of a GPU are rehearsed on a CPU, and end at a wrong result."""

from pathlib import Path

import msgspec
import pytest

from bench.gpu import TOY, GpuBench, Task, main, run_tasks
from bench.gpu_report import Figures, step_bytes
from bench.sizes import SIZES

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.mark.timeout(600)
def test_rehearsal_measures_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rehearse", "--output", str(tmp_path)]) == 0
    figures = msgspec.json.decode((tmp_path / "gpu.json").read_bytes(), type=Figures)
    assert figures.left_out == []
    assert [each.path for each in figures.agreements if 0 < each.error == each.replayed] == [
        "operators", "operators, attention kernel", "fused, float32", "fused",
    ]  # fmt: skip
    assert figures.launches["fused"] == 9
    assert {(each.path, each.requests) for each in figures.steps} >= {("fused", 1), ("fused", 2)}
    assert [each.requests for each in figures.pieces] == [1, 2]
    assert figures.join is not None
    assert figures.audiocraft_ms_per_step["small"] > 0
    assert (tmp_path / "gpu.md").read_text() in capsys.readouterr().out


class Wrong(GpuBench):
    """Its first task fails, and the second one must not run."""

    def tasks(self) -> list[Task]:
        def fail() -> None:
            raise ValueError("the fused step is wrong")

        return [Task("parity", 1, fail), Task("more", 1, lambda: self.figures.engines.update(more="ran"))]


def test_wrong_results_end_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Wrong(TOY, "cpu", tmp_path)
    assert run_tasks(bench, 100.0) == 1
    assert bench.figures.engines == {}
    assert "WRONG RESULTS" in capsys.readouterr().err
    assert "the fused step is wrong" in (tmp_path / "gpu.md").read_text()


def test_nothing_is_measured_without_time_for_parity(tmp_path: Path) -> None:
    bench = GpuBench(TOY, "cpu", tmp_path)
    assert run_tasks(bench, 0.5) == 0
    assert bench.figures.left_out == ["parity: needs up to 60 s, 0 were left"]


def test_step_of_small_reads_0_7_gb_of_weights() -> None:
    assert step_bytes(SIZES["small"], 0, 0) == pytest.approx(0.72e9, rel=0.01)
    assert step_bytes(SIZES["small"], 1, 750) - step_bytes(SIZES["small"], 0, 0) == 2 * 750 * 2 * 24 * 1024 * 2
