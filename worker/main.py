"""`musicgen worker`: runs until SIGTERM or Ctrl-C, then finishes or hands back what it has."""

import asyncio
import ctypes
import sys

from shared.bus import open_bus
from shared.failpoint import arm
from shared.lifecycle import end, stop_signal
from shared.logs import configure_logs, get_logger
from shared.settings import Settings, load_settings
from shared.storage import Storage
from shared.version import VERSION
from worker.metrics import serve_metrics
from worker.retention.retention import Retention
from worker.worker import Worker

log = get_logger(__name__)

PR_SET_DUMPABLE = 4


def main() -> None:
    """Run a worker with the environment's settings.

    Raises:
        MusicgenError: for what only a person can mend; the message says how.
    """
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format, "worker")
    arm()
    hide_environment()
    serve_metrics(settings.worker_metrics_host, settings.worker_metrics_port)
    asyncio.run(work(settings))


def hide_environment() -> None:
    """Keep this process's environment and memory from others of the same user, of which the engine is one.

    Linux shows them only of a process that may be dumped. The price is that the worker leaves no core dump.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0)


async def work(settings: Settings) -> None:
    """Work until told to stop."""
    storage = Storage(settings)
    async with open_bus() as bus:
        worker = Worker(settings, bus, storage)
        log.info("worker", worker_id=worker.worker_id, model=settings.model, version=VERSION)
        stopped = asyncio.create_task(stop_signal())
        # None of these ends by itself, except with an error that a person must mend.
        running = [
            asyncio.create_task(bus.run(settings.nats_url, worker.worker_id)),
            asyncio.create_task(worker.host.run()),
            asyncio.create_task(worker.announcer.run()),
            asyncio.create_task(Retention(settings, bus, storage).run()),
        ]
        pulling = asyncio.create_task(worker.pull())
        try:
            done, _ = await asyncio.wait({stopped, pulling, *running}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task
        finally:
            await worker.stop(settings.shutdown_grace)
            await end((stopped, pulling, *running))
