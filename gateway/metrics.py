"""What Prometheus reads from the gateway. Workers have their own; see worker/metrics.py."""

from http import HTTPStatus

from prometheus_client import Counter, Gauge, Histogram

_REQUESTS = Counter("musicgen_http_requests", "HTTP requests answered", ["method", "route", "status"])
_REQUEST_SECONDS = Histogram(
    "musicgen_http_request_seconds",
    "Time to the answer's head",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
_ACCEPTED = Counter("musicgen_jobs_accepted", "Jobs accepted", ["model"])
_CANCELLED = Counter("musicgen_jobs_cancelled", "Jobs cancelled by a client", ["model"])
_CACHE = Counter(
    "musicgen_cache", "Jobs that may be answered from the cache: stored, missed, or followed an equal one", ["outcome"]
)
QUEUE_DEPTH = Gauge("musicgen_queue_depth", "Messages in MUSIC_JOBS: waiting and running jobs")
QUEUED_JOBS = Gauge("musicgen_queued_jobs", "Jobs that wait for a worker", ["model"])
KEY_QUEUED_JOBS = Gauge("musicgen_key_queued_jobs", "Queued jobs of an API key, of the 20 keys with most", ["key"])
KEY_RECORDS = Gauge("musicgen_key_records", "Jobs on record of an API key, of the 20 keys with most", ["key"])
RECORDS = Gauge("musicgen_records", "Jobs on record")
RECORDS_LIMIT = Gauge("musicgen_records_limit", "So many jobs on record, and no further one is accepted")
RECORDS_DAMAGED = Gauge("musicgen_records_damaged", "Records that are damaged now")
QUEUE_AGE = Gauge("musicgen_queue_oldest_seconds", "How long the oldest queued job has waited")
_REQUEUED = Counter("musicgen_jobs_requeued", "Jobs whose message was lost and that got another", ["model"])
TRIMMED = Counter("musicgen_records_trimmed", "Records without audio removed because there were too many")
WORKERS = Gauge("musicgen_workers", "Live workers", ["model", "state"])
SLOTS = Gauge("musicgen_worker_slots", "Slots of ready workers", ["model"])
BUSY = Gauge("musicgen_worker_slots_busy", "Slots in use", ["model"])
LOST_FILES = Counter("musicgen_files_lost", "Files found to be missing from the store, or damaged")
REJECTED_CONNECTIONS = Counter("musicgen_connections_turned_away", "Connections beyond a bound")
EVICTED_CONNECTIONS = Counter(
    "musicgen_connections_cut", "Connections cut because all together kept too much in memory"
)
WEBSOCKETS = Gauge("musicgen_websockets", "Open WebSocket connections")
COMPONENT_UP = Gauge("musicgen_component_up", "1 if a part answers", ["component"])


_METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})


def observe_request(route: str, method: str, status: int, seconds: float) -> None:
    """Count one request. `route` is the pattern, not the path: what a client invents makes no series of its own."""
    method = method if method in _METHODS else "other"
    _REQUESTS.labels(method, route, str(status)).inc()
    if status != HTTPStatus.SWITCHING_PROTOCOLS:  # a WebSocket lasts as long as its client stays
        _REQUEST_SECONDS.labels(method, route).observe(seconds)


def accepted(model: str) -> None:
    _ACCEPTED.labels(model).inc()


def cache(outcome: str) -> None:
    _CACHE.labels(outcome).inc()


def cancelled(model: str) -> None:
    _CANCELLED.labels(model).inc()


def requeued(model: str) -> None:
    _REQUEUED.labels(model).inc()
