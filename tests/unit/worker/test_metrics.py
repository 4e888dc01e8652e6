"""The metrics of the worker's machine and of its engine."""

import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from typing import NoReturn

import psutil
import pynvml
import pytest

from worker.metrics import MachineCollector


def _not_supported(device: object) -> NoReturn:
    raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nvmlInit", "nvmlShutdown"):
        monkeypatch.setattr(pynvml, name, lambda: None)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: 1)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda number: number)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda device: SimpleNamespace(used=1, total=2))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", lambda device: SimpleNamespace(gpu=90))


def collected() -> dict[str, list[float]]:
    return {each.name: [sample.value for sample in each.samples] for each in MachineCollector().collect()}


@pytest.mark.usefixtures("gpu")
def test_a_gpu_is_reported() -> None:
    found = collected()
    assert found["gpu_utilization_percent"] == [90]
    assert (found["gpu_memory_used_bytes"], found["gpu_memory_total_bytes"]) == ([1], [2])


@pytest.mark.usefixtures("gpu")
def test_values_that_a_gpu_does_not_report_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlDeviceGetUtilizationRates", _not_supported)
    assert collected()["gpu_utilization_percent"] == []
    assert collected()["gpu_memory_total_bytes"] == [2]
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", _not_supported)
    assert collected()["gpu_memory_total_bytes"] == []
    assert collected()["machine_memory_total_bytes"][0] > 0


def test_the_memory_of_the_engine_is_that_of_the_child_process() -> None:
    others = sum(child.memory_info().rss for child in psutil.Process().children())
    with subprocess.Popen([sys.executable, "-c", "print(1); input()"], stdin=-1, stdout=-1, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert collected()["musicgen_engine_memory_bytes"][0] - others > 1_000_000
        child.communicate("\n")


def test_the_use_of_the_processor_is_told_to_every_thread() -> None:
    # Prometheus's client answers each scrape in a new thread.
    collector, found = MachineCollector(), list[float]()

    def scrape() -> None:
        found.extend(each.samples[0].value for each in collector.collect() if each.name == "machine_cpu_percent")

    for _ in range(2):
        busy_until = time.process_time() + 0.5
        while time.process_time() < busy_until:
            pass
        thread = threading.Thread(target=scrape)
        thread.start()
        thread.join()
    assert len(found) == 2
    assert all(0 < value <= 100 for value in found)
