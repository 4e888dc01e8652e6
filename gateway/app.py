"""Assembles the gateway: services, routes, middleware and background tasks."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from gateway.access.api_keys import load_keys
from gateway.access.lanes import Lanes, load_priorities
from gateway.access.quotas import Limits, Quotas
from gateway.access.rate_limiter import RateLimiter
from gateway.access.reservations import Reservations
from gateway.http.asyncapi import make_asyncapi
from gateway.http.authentication import PUBLIC_PATHS, authenticate
from gateway.http.cors import add_cors_headers, preflight
from gateway.http.handlers import gary4juce
from gateway.http.handlers.health import health_report
from gateway.http.handlers.pages import ASYNCAPI, DOCUMENT, ENDPOINTS
from gateway.http.live_connections import end_followers
from gateway.http.middleware import add_request_headers, problem_middleware, request_context
from gateway.http.openapi import make_document
from gateway.http.requests import MAX_BODY
from gateway.http.responses import set_cache_control
from gateway.http.routes import ROUTES, add_routes, list_endpoints
from gateway.http.websocket import close_websockets
from gateway.index.database import open_database
from gateway.index.estimator import Estimator
from gateway.index.job_index import JobIndex
from gateway.index.record_store import RecordStore
from gateway.index.record_table import SCHEMA, RecordTable
from gateway.index.worker_registry import WorkerRegistry
from gateway.jobs.acceptance import Acceptance
from gateway.jobs.dead_letters import DeadLetters
from gateway.jobs.deadlines import Deadlines
from gateway.jobs.excerpts import Excerpts
from gateway.jobs.job_queue import JobQueue
from gateway.jobs.job_service import JobService
from gateway.jobs.reconciler import Reconciler
from gateway.jobs.record_repair import RecordRepair
from gateway.jobs.result_cache import ResultCache
from gateway.jobs.scores import Scores
from gateway.jobs.stored_files import StoredFiles
from gateway.jobs.trimmer import RecordTrimmer
from gateway.jobs.usage import UsageTracker
from gateway.jobs.views import Views
from gateway.live.event_hub import EventHub
from gateway.probe import Probe
from gateway.services import SERVICES, Services
from gateway.uploads.uploads import Uploads
from gateway.webhooks.secrets import load_webhook_secrets
from gateway.webhooks.service import Webhooks
from shared import subjects
from shared.bus import Bus, open_bus
from shared.lifecycle import end
from shared.logs import get_logger
from shared.micro_service import serve_state
from shared.records import Records
from shared.settings import Settings
from shared.storage import Storage
from shared.topology import ensure_streams

log = get_logger(__name__)

# Seconds before a failed background task starts again.
RESTART_DELAY = 10.0


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Everything that handlers use. The caller connects NATS by running `services.bus.run`."""
    async with open_bus() as bus, _download_session() as http:
        services = build_services(settings, bus, http)
        _prepare_on_connect(bus, services)
        try:
            yield services
        finally:
            await services.index.close()


def _download_session() -> ClientSession:
    """The HTTP client that proxies downloads from S3.

    It has no connection limit, or slow downloads would block others. `server.py` limits their number, and the small
    buffer limits the memory of each.
    """
    return ClientSession(
        timeout=ClientTimeout(total=None, connect=3, sock_read=30),
        connector=TCPConnector(limit=0),
        read_bufsize=32 * 1024,
    )


def build_services(settings: Settings, bus: Bus, http: ClientSession) -> Services:
    """Create the services and connect them with each other."""
    keys = load_keys(settings)
    folder = Path(settings.gateway_index_dir) if settings.gateway_index_dir else None
    index = JobIndex(Estimator(), RecordTable(open_database(folder, SCHEMA)))
    storage, workers = Storage(settings), WorkerRegistry()
    record_store, queue = RecordStore(bus, index), JobQueue(bus, index)
    usage, stored_files = UsageTracker(record_store), StoredFiles(storage, http)
    result_cache = ResultCache(bus, index, record_store, queue, workers, usage, stored_files)
    reconciler = Reconciler(bus, index, record_store, result_cache, workers)
    limits = Limits(settings.key_queued_jobs, settings.key_daily_seconds, settings.key_records)
    quotas = Quotas(index, record_store, Reservations(bus, settings.nats_replicas), limits)
    jobs = JobService(bus, index, record_store, queue)
    uploads = Uploads(storage, settings.key_upload_bytes)
    return Services(
        settings=settings,
        keys=keys,
        lanes=Lanes(keys.names, load_priorities(settings, keys.names)),
        rate_limiter=RateLimiter(settings.key_rate, settings.key_burst),
        bus=bus,
        storage=storage,
        stored_files=stored_files,
        uploads=uploads,
        excerpts=Excerpts(storage, uploads, jobs, index, settings.key_upload_bytes),
        scores=Scores(uploads, storage, jobs),
        http=http,
        index=index,
        workers=workers,
        views=Views(index, workers),
        record_store=record_store,
        usage=usage,
        result_cache=result_cache,
        acceptance=Acceptance(index, record_store, queue, result_cache, quotas),
        jobs=jobs,
        deadlines=Deadlines(index, jobs),
        webhooks=Webhooks(settings, load_webhook_secrets(settings, keys.names), bus, index, record_store),
        hub=EventHub(bus, jobs),
        probe=Probe(bus, storage, workers, index, record_store),
        reconciler=reconciler,
        dead_letters=DeadLetters(bus, record_store, reconciler),
        record_repair=RecordRepair(bus, index, record_store),
        record_trimmer=RecordTrimmer(index, record_store, settings.key_records),
        started=time.monotonic(),
    )


def _prepare_on_connect(bus: Bus, services: Services) -> None:
    subscribed = False

    async def prepare() -> None:
        nonlocal subscribed
        bucket = await ensure_streams(bus.js, services.settings.nats_replicas)
        await services.index.start_feed(bus.client)
        services.record_store.records = Records(bucket)
        if subscribed:  # core subscriptions survive a reconnect
            return
        await bus.client.subscribe(subjects.ALL_EVENTS, cb=services.hub.on_message)
        await bus.client.subscribe(subjects.ALL_WORKERS, cb=services.workers.on_message)
        for subject in subjects.DEAD_LETTERS:
            await bus.client.subscribe(subject, cb=services.dead_letters.on_message)
        subscribed = True

    bus.on_connect(prepare)
    serve_state(bus, "gateway", lambda: health_report(services), {"host": socket.gethostname()})
    bus.on_connect(services.hub.on_connect)
    bus.on_connect(services.workers.on_connect)
    bus.on_connect(services.probe.on_connect)
    bus.on_connect(services.reconciler.on_connect)
    bus.on_connect(services.dead_letters.on_connect)


def create_app(services: Services) -> web.Application:
    """The aiohttp application around `services`."""
    # Outermost first. Every response needs a request id; a preflight request has no API key; `authenticate` comes after
    # `problem_middleware`, which turns its 401 and 429 into problem details.
    middlewares = [request_context, preflight, problem_middleware, authenticate]
    app = web.Application(middlewares=middlewares, client_max_size=MAX_BODY)
    app[SERVICES] = services
    app[PUBLIC_PATHS] = frozenset(route.path for route in ROUTES if route.is_public)
    add_routes(app)
    if services.settings.gateway_gary4juce:
        gary4juce.add_routes(app)
    app[DOCUMENT] = make_document()
    app[ASYNCAPI] = make_asyncapi()
    app[ENDPOINTS] = list_endpoints()
    app.cleanup_ctx.append(_background)
    app.on_response_prepare.extend([add_request_headers, add_cors_headers, set_cache_control])
    app.on_shutdown.extend([close_websockets, end_followers])
    return app


async def _background(app: web.Application) -> AsyncIterator[None]:
    services = app[SERVICES]
    background = (
        services.probe.run,
        services.probe.run_s3,
        services.hub.run,
        services.result_cache.run,
        services.reconciler.run,
        services.deadlines.run,
        services.dead_letters.run,
        services.record_repair.run,
        services.record_trimmer.run,
        *services.webhooks.tasks,
    )
    tasks = [asyncio.create_task(keep_running(run)) for run in background]
    yield
    await end(tasks)


async def keep_running(run: Callable[[], Awaitable[None]]) -> None:
    """Run a background task until cancelled. After an unexpected error, log it and start the task again."""
    while True:
        try:
            await run()
        except Exception:
            log.exception("background task failed and will restart", task=run.__qualname__)
        await asyncio.sleep(RESTART_DELAY)
