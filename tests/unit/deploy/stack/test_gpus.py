"""Which GPUs `up` starts workers on; the driver is fake."""

import pynvml
import pytest

from deploy.stack.gpus import choose_gpus
from shared.errors import MusicgenError


@pytest.fixture(autouse=True)
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("nvmlInit", "nvmlShutdown"):
        monkeypatch.setattr(pynvml, name, lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 4)


@pytest.mark.parametrize(("wanted", "numbers"), [("all", [0, 1, 2, 3]), ("2", [2]), ("3, 0", [3, 0])])
def test_all_or_the_named_gpus_are_chosen(wanted: str, numbers: list[int]) -> None:
    assert list(choose_gpus(wanted)) == numbers


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("4", "There is no GPU 4: this machine has 4"),
        ("1,1", "different numbers"),
        ("first", "must be all, or"),
        ("-1", "must be all, or"),
        ("0,", "must be all, or"),
    ],
)
def test_what_is_not_there_is_refused_with_the_reason(wanted: str, reason: str) -> None:
    with pytest.raises(MusicgenError, match=reason):
        choose_gpus(wanted)


def test_without_a_driver_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    with pytest.raises(MusicgenError, match="no NVIDIA GPU here"):
        choose_gpus("all")


def test_hidden_gpus_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert list(choose_gpus("all")) == [0, 1]
