"""How much memory models may use, and how much an engine says that it uses."""

import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from worker import model_memory
from worker.engine.interface import ModelInfo
from worker.engine.process import CUDA_CONTEXT, _measured
from worker.model_memory import SHARE, default_budget

INFO = ModelInfo(engine="scripted", device="cpu", sample_rate=32_000, channels=1)


@pytest.mark.parametrize(
    ("limit", "bytes_there_are"),
    [("1000000\n", 1_000_000), ("max\n", None), ("9223372036854771712\n", None), ("", None)],
)
def test_the_limit_of_a_container_counts_as_its_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, bytes_there_are: int | None
) -> None:
    (tmp_path / "memory.max").write_text(limit)
    monkeypatch.setattr(model_memory, "_LIMITS", (tmp_path / "memory.max", tmp_path / "missing"))
    total = bytes_there_are or psutil.virtual_memory().total
    assert default_budget(INFO) == default_budget(None) == int(SHARE * total)


def test_an_engine_measures_its_gpu_and_the_budget_is_a_share_of_that(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(
        is_initialized=lambda: True, memory_reserved=lambda: 3_000_000, mem_get_info=lambda: (1_000_000, 10_000_000)
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    info = _measured(INFO)
    assert (info.gpu_bytes, info.gpu_total) == (3_000_000 + CUDA_CONTEXT, 10_000_000)
    assert default_budget(info) == int(SHARE * 10_000_000)
    cuda.is_initialized = lambda: False
    assert _measured(INFO) == INFO
