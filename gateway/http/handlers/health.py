"""Health, readiness, liveness and Prometheus metrics."""

import platform
import time
from http import HTTPStatus

import msgspec
import psutil
from aiohttp import web
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from gateway.http.responses import json_response
from gateway.probe import Component, Health
from gateway.problems import unavailable
from gateway.services import SERVICES, Services
from shared.version import VERSION
from shared.worker_info import ModelState, WorkerInfo, WorkerState


class ServedModels(msgspec.Struct, frozen=True, kw_only=True):
    """The models of the service.

    Attributes:
        default: the model of requests that name none.
        max_duration: the longest music, in seconds.
        serving: the models that a worker has loaded.
        loadable: the models that a worker loads when a job asks for them.
    """

    default: str
    max_duration: float
    serving: list[str]
    loadable: list[str]


class SystemInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The gateway's machine: CPU use in percent, memory in bytes."""

    platform: str
    python: str
    cpu_count: int | None
    cpu_percent: float
    memory_total: int
    memory_available: int
    process_memory: int


class QueueReport(msgspec.Struct, frozen=True, kw_only=True):
    """The queue: how many jobs wait, and for how many seconds the oldest has waited."""

    depth: int
    oldest_seconds: float


class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """The body of GET /health. `uptime` is in seconds."""

    status: Health
    version: str
    uptime: float
    model_info: ServedModels
    system_info: SystemInfo
    components: dict[str, Component]
    workers: list[WorkerInfo]
    queue: QueueReport


class Liveness(msgspec.Struct, frozen=True):
    """The body of GET /health/live and /health/ready."""

    status: str


async def health(request: web.Request) -> web.Response:
    """GET /health: all components; 503 only if no job can be accepted."""
    services = request.app[SERVICES]
    report = health_report(services)
    status = HTTPStatus.SERVICE_UNAVAILABLE if report.status == "unhealthy" else HTTPStatus.OK
    return json_response(report, status)


async def ready(request: web.Request) -> web.Response:
    """GET /health/ready: 200 if the gateway accepts jobs."""
    services = request.app[SERVICES]
    if reason := services.probe.not_ready_reason:
        raise unavailable(f"Not ready: {reason}")
    return json_response(Liveness("ready"))


async def live(request: web.Request) -> web.Response:
    """GET /health/live: 200 if the process responds."""
    return json_response(Liveness("alive"))


async def export_metrics(request: web.Request) -> web.Response:
    """GET /metrics: the Prometheus text format; for clients that accept it, OpenMetrics, which has exemplars."""
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return web.Response(body=encode(REGISTRY), headers={"Content-Type": content_type})


def health_report(services: Services) -> HealthReport:
    """The health of the gateway and of every part that it sees."""
    workers = services.workers.live()
    components = services.probe.components | {"workers": _workers_component(workers)}
    return HealthReport(
        status=_overall(components),
        version=VERSION,
        uptime=round(time.monotonic() - services.started, 3),
        model_info=ServedModels(
            default=services.settings.model,
            max_duration=services.settings.max_duration,
            serving=_models(workers, ModelState.LOADED),
            loadable=_models(workers, ModelState.LOADABLE),
        ),
        system_info=_system_info(),
        components=components,
        workers=workers,
        queue=QueueReport(
            depth=services.probe.queue_depth,
            oldest_seconds=round(max(services.index.oldest_waits().values(), default=0.0), 1),
        ),
    )


def _models(workers: list[WorkerInfo], state: ModelState) -> list[str]:
    models = (model for worker in workers if worker.takes_jobs for model in worker.served)
    return sorted({model.name for model in models if model.state is state})


def _workers_component(workers: list[WorkerInfo]) -> Component:
    if any(worker.state is WorkerState.READY for worker in workers):
        return Component("healthy")
    if not workers:
        return Component("degraded", "No worker is running: jobs wait. Start one with `musicgen worker`.")
    worker = workers[0]
    return Component("degraded", " ".join(filter(None, [worker.message, worker.remedy])))


def _overall(components: dict[str, Component]) -> Health:
    """The worst state. Jobs wait for S3 and workers (degraded); they need NATS and the bucket (unhealthy)."""
    states = {component.status for component in components.values()}
    return "unhealthy" if "unhealthy" in states else "degraded" if "degraded" in states else "healthy"


def _system_info() -> SystemInfo:
    memory = psutil.virtual_memory()
    return SystemInfo(
        platform=platform.platform(),
        python=platform.python_version(),
        cpu_count=psutil.cpu_count(),
        cpu_percent=psutil.cpu_percent(),
        memory_total=memory.total,
        memory_available=memory.available,
        process_memory=psutil.Process().memory_info().rss,
    )
