"""The gateway's Prometheus metrics. For the worker's, see worker/metrics.py."""

from prometheus_client import Counter, Gauge, Histogram

from shared.metrics import exemplar

_REQUESTS = Counter("musicgen_http_requests", "HTTP requests answered", ["method", "route", "status"])
_REQUEST_SECONDS = Histogram(
    "musicgen_http_request_seconds",
    "Time to the response headers",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
_ACCEPTED = Counter("musicgen_jobs_accepted", "Jobs accepted", ["model"])
_CANCELLED = Counter("musicgen_jobs_cancelled", "Jobs cancelled by a client", ["model"])
_CACHE = Counter(
    "musicgen_cache", "Cacheable jobs by outcome: stored result, miss, or follower of an equal job", ["outcome"]
)
QUEUE_DEPTH = Gauge("musicgen_queue_depth", "Messages in MUSIC_JOBS: queued and running jobs")
QUEUED_JOBS = Gauge("musicgen_queued_jobs", "Queued jobs by model", ["model"])
KEY_QUEUED_JOBS = Gauge("musicgen_key_queued_jobs", "Queued jobs by API key, for the 20 keys with most", ["key"])
KEY_RECORDS = Gauge("musicgen_key_records", "Job records by API key, for the 20 keys with most", ["key"])
RECORDS = Gauge("musicgen_records", "Job records")
RECORDS_LIMIT = Gauge("musicgen_records_limit", "Job records at which new jobs are refused")
RECORDS_DAMAGED = Gauge("musicgen_records_damaged", "Damaged job records")
QUEUE_AGE = Gauge("musicgen_queue_oldest_seconds", "Age of the oldest queued job by model", ["model"])
PRIORITY_QUEUED_JOBS = Gauge(
    "musicgen_priority_queued_jobs", "Queued jobs by model and priority", ["model", "priority"]
)
PRIORITY_AGE = Gauge(
    "musicgen_priority_oldest_seconds", "Age of the oldest queued job by model and priority", ["model", "priority"]
)
_REQUEUED = Counter("musicgen_jobs_requeued", "Jobs requeued because their message was lost", ["model"])
TRIMMED = Counter("musicgen_records_trimmed", "Records without audio removed to stay below the limit")
WORKERS = Gauge("musicgen_workers", "Live workers", ["model", "state"])
SLOTS = Gauge("musicgen_worker_slots", "Slots of ready workers", ["model"])
BUSY = Gauge("musicgen_worker_slots_busy", "Slots in use", ["model"])
LOST_FILES = Counter("musicgen_files_lost", "Stored files found missing or damaged")
REJECTED_CONNECTIONS = Counter("musicgen_connections_turned_away", "Connections rejected at a connection limit")
EVICTED_CONNECTIONS = Counter("musicgen_connections_cut", "Connections closed to free memory")
WEBSOCKETS = Gauge("musicgen_websockets", "Open WebSocket connections")
SLOW_WEBSOCKETS = Counter(
    "musicgen_websockets_dropped", "WebSocket connections closed because the client read too slowly"
)
EVENT_STREAMS = Gauge("musicgen_event_streams", "Open streams of Server-Sent Events")
SLOW_EVENT_STREAMS = Counter(
    "musicgen_event_streams_dropped", "Event streams closed because the client read too slowly"
)
DROPPED_AUDIO = Counter("musicgen_live_audio_dropped", "Live audio of jobs ended because the client read too slowly")
_WEBHOOKS = Counter("musicgen_webhooks", "Attempts to deliver a webhook by outcome: delivered or failed", ["outcome"])
PENDING_WEBHOOKS = Gauge("musicgen_webhooks_pending_jobs", "Jobs with webhooks that are not delivered yet")
COMPONENT_UP = Gauge("musicgen_component_up", "1 if the component is healthy", ["component"])

METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"})


def observe_request(route: str, method: str, status: int, seconds: float | None, traceparent: str) -> None:
    """Count one request. `route` is the pattern, not the path, so clients cannot create new series.

    `seconds` is None for an answer that lasts as long as a job or a WebSocket.
    """
    method = method if method in METHODS else "other"
    _REQUESTS.labels(method, route, str(status)).inc()
    if seconds is not None:
        _REQUEST_SECONDS.labels(method, route).observe(seconds, exemplar(traceparent))


def accepted(model: str) -> None:
    _ACCEPTED.labels(model).inc()


def cache(outcome: str) -> None:
    _CACHE.labels(outcome).inc()


def cancelled(model: str) -> None:
    _CANCELLED.labels(model).inc()


def webhook(*, delivered: bool) -> None:
    _WEBHOOKS.labels("delivered" if delivered else "failed").inc()


def requeued(model: str) -> None:
    _REQUEUED.labels(model).inc()
