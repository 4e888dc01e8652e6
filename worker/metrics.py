"""The worker's Prometheus metrics: outcomes, times by phase, slots, and the machine."""

import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pynvml
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from shared.logs import get_logger
from shared.messages import JobRecord, Timings
from shared.metrics import exemplar
from shared.settings import http_url

log = get_logger(__name__)

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900)

JOBS = Counter("musicgen_jobs", "Jobs that ended, by outcome and reason", ["model", "outcome", "reason"])
QUEUED = Histogram("musicgen_job_queued_seconds", "From acceptance to the first attempt", ["model"], buckets=_SECONDS)
GENERATING = Histogram("musicgen_job_generating_seconds", "In the engine", ["model"], buckets=_SECONDS)
ENCODING = Histogram("musicgen_job_encoding_seconds", "From samples to a file", ["model"], buckets=_SECONDS)
UPLOADING = Histogram("musicgen_job_uploading_seconds", "To storage", ["model"], buckets=_SECONDS)
AUDIO = Counter("musicgen_audio_seconds", "Seconds of audio delivered", ["model"])
UPLOADED = Counter("musicgen_uploaded_bytes", "Bytes of files stored", ["model"])
REDELIVERED = Counter("musicgen_jobs_redelivered", "Deliveries of jobs after their first one", ["model"])
STORED = Gauge("musicgen_audio_stored_bytes", "Files that records keep, after this worker's last turn of retention")
EXPIRED = Counter("musicgen_audio_expired", "Jobs whose audio was given up", ["reason"])
RECORDS_REMOVED = Counter("musicgen_records_forgotten", "Records removed because there were too many")
FILES_REMOVED = Counter("musicgen_jobs_swept", "Jobs whose files were removed from the store")
SLOTS = Gauge("musicgen_slots", "Jobs that this worker can run at once, with the models that are loaded")
BUSY = Gauge("musicgen_slots_busy", "Jobs that it runs now")
ENGINE_UP = Gauge("musicgen_engine_up", "1 while a model is loaded")
STEPS = Counter("musicgen_engine_steps", "Steps of all jobs in the engine")
ENGINE_ROWS = Gauge("musicgen_engine_rows", "Rows of an engine's batch; with guidance, a job has two", ["model"])
ENGINE_CACHE = Gauge("musicgen_engine_cache_bytes", "Memory for keys and values of all slots", ["model"])
ENGINE_DEATHS = Counter("musicgen_engine_deaths", "Times that an engine process died, for any reason")
ENGINE_HANGS = Counter("musicgen_engine_hangs", "Times that one was ended because it hung")
LOADED = Gauge("musicgen_model_loaded", "1 while the model is loaded", ["model"])
LOADS = Counter("musicgen_model_loads", "Times that the model was loaded, by outcome", ["model", "outcome"])
LOAD_SECONDS = Histogram("musicgen_model_load_seconds", "Time to load the model", ["model"], buckets=_SECONDS)
EVICTIONS = Counter("musicgen_model_evictions", "Times that the model made room for another one", ["model"])


def observe_first_claim(record: JobRecord, seconds: float) -> None:
    """Count the seconds that a job waited for its first attempt."""
    QUEUED.labels(record.recipe.model).observe(seconds, _exemplar(record))


def observe_completed(record: JobRecord, seconds: float, timings: Timings) -> None:
    """Count a completed job: its seconds of audio, and the time of each phase."""
    model, labels = record.recipe.model, _exemplar(record)
    AUDIO.labels(model).inc(seconds)
    GENERATING.labels(model).observe(timings.generating, labels)
    ENCODING.labels(model).observe(timings.encoding, labels)
    UPLOADING.labels(model).observe(timings.uploading, labels)


def _exemplar(record: JobRecord) -> dict[str, str] | None:
    return exemplar(record.traceparent, job_id=record.job_id)


class MachineCollector(Collector):
    """CPU, memory and GPU use of the whole machine, and the engine's memory, read at each scrape."""

    def __init__(self) -> None:
        self._looked_at = time.monotonic()
        self._idle = _idle_seconds()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The current values."""
        memory = psutil.virtual_memory()
        yield GaugeMetricFamily("machine_cpu_percent", "Use of all cores since the last scrape", self._cpu_percent())
        yield GaugeMetricFamily("machine_memory_used_bytes", "Memory in use", memory.total - memory.available)
        yield GaugeMetricFamily("machine_memory_total_bytes", "Memory there is", memory.total)
        yield GaugeMetricFamily("musicgen_engine_memory_bytes", "Main memory of all engine processes", _engine_memory())
        yield from _gpus()

    def _cpu_percent(self) -> float:
        # psutil.cpu_percent remembers the last call of each thread, and each scrape has a new thread: it answers 0.
        moment, idle = time.monotonic(), _idle_seconds()
        possible = (moment - self._looked_at) * (psutil.cpu_count() or 1)
        idle_share = (idle - self._idle) / possible if possible else 1.0
        self._looked_at, self._idle = moment, idle
        return min(max(100 * (1 - idle_share), 0.0), 100.0)


def _idle_seconds() -> float:
    """Seconds in which a core had nothing to do, summed over all cores."""
    times = psutil.cpu_times()
    return float(times.idle + getattr(times, "iowait", 0.0))


def _engine_memory() -> int:
    """The worker's process has no children but its engines; 0 while there is none."""
    sizes = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            sizes.append(child.memory_info().rss)
    return sum(sizes)


def _gpus() -> Iterator[GaugeMetricFamily]:
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return  # no NVIDIA driver
    use = GaugeMetricFamily("gpu_utilization_percent", "Share of time in which a kernel ran", labels=["gpu"])
    used = GaugeMetricFamily("gpu_memory_used_bytes", "GPU memory in use", labels=["gpu"])
    total = GaugeMetricFamily("gpu_memory_total_bytes", "GPU memory there is", labels=["gpu"])
    try:
        for number in range(pynvml.nvmlDeviceGetCount()):
            device = pynvml.nvmlDeviceGetHandleByIndex(number)
            with suppress(pynvml.NVMLError):  # a MIG instance does not report its utilization
                use.add_metric([str(number)], pynvml.nvmlDeviceGetUtilizationRates(device).gpu)
            with suppress(pynvml.NVMLError):  # a GPU that shares the machine's memory reports none
                memory = pynvml.nvmlDeviceGetMemoryInfo(device)
                used.add_metric([str(number)], memory.used)
                total.add_metric([str(number)], memory.total)
    finally:
        pynvml.nvmlShutdown()
    yield from (use, used, total)


def serve_metrics(host: str, port: int) -> None:
    """Serve the metrics on `host:port` in a thread; not at all if `port` is 0."""
    REGISTRY.register(MachineCollector())
    if port:
        start_http_server(port, host)
        log.info("metrics", url=f"{http_url(host, port)}/metrics")
