"""`musicgen worker`: runs until SIGTERM or Ctrl-C, then finishes its jobs or hands them back."""

import asyncio
import ctypes
import os
import sys

from shared.bus import open_bus
from shared.failpoint import arm
from shared.lifecycle import end, stop_signal
from shared.logs import configure_logs, get_logger
from shared.settings import Settings, load_settings
from shared.storage import Storage
from shared.trace_export import exporting
from shared.version import VERSION
from worker.metrics import serve_metrics
from worker.retention.retention import Retention
from worker.worker import Worker

log = get_logger(__name__)

PR_SET_DUMPABLE = 4


def main(**changes: str) -> None:
    """Run a worker with the environment's settings, and these `changes` of it.

    Raises:
        MusicgenError: if the operator must act; the message says how.
    """
    settings = load_settings(os.environ | changes)
    configure_logs(settings.log_level, settings.log_format, "worker")
    arm()
    hide_environment()
    serve_metrics(settings.worker_metrics_host, settings.worker_metrics_port)
    with exporting("worker"):
        asyncio.run(work(settings))


def hide_environment() -> None:
    """Hide this process's environment and memory from other processes of the same user, such as the engine.

    Linux exposes them only for dumpable processes. As a consequence, the worker leaves no core dump.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0)


async def work(settings: Settings) -> None:
    """Run the worker until a signal stops it."""
    storage = Storage(settings)
    async with open_bus() as bus:
        worker = Worker(settings, bus, storage)
        log.info("worker", worker_id=worker.worker_id, models=list(settings.models), version=VERSION)
        stopped, drained = asyncio.create_task(stop_signal()), asyncio.create_task(worker.until_ended())
        # These tasks end only with an error on which the operator must act.
        running = [
            asyncio.create_task(bus.run(settings.nats_url, worker.worker_id)),
            asyncio.create_task(worker.residency.run()),
            asyncio.create_task(worker.announcer.run()),
            asyncio.create_task(Retention(settings, bus, storage).run()),
        ]
        pulling = asyncio.create_task(worker.pull())
        try:
            done, _ = await asyncio.wait({stopped, drained, pulling, *running}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
        finally:
            await worker.stop(settings.shutdown_grace)
            await end((stopped, drained, pulling, *running))
