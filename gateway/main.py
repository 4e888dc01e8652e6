"""`musicgen gateway`: serves until SIGTERM or Ctrl-C, then finishes the open requests."""

import asyncio
import logging
import resource

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.access.api_keys import load_keys
from gateway.access.bind_policy import check_binding
from gateway.app import create_app, open_services
from gateway.http.server import serving
from shared.failpoint import arm
from shared.lifecycle import end, stop_signal
from shared.logs import configure_logs, get_logger
from shared.settings import Settings, http_url, load_settings
from shared.trace_export import exporting
from shared.version import VERSION

log = get_logger(__name__)

# Open files other than client connections: NATS, S3, logs.
RESERVED_FILES = 200


def main() -> None:
    """Run the gateway with the environment's settings.

    Raises:
        MusicgenError: if an operator has to fix something; the message says what.
    """
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format, "gateway")
    arm()
    check_binding(settings, load_keys(settings))
    logging.getLogger("aiohttp.server").addFilter(_is_worth_logging)
    _raise_file_limit(settings.gateway_connections)
    with exporting("gateway"):
        asyncio.run(serve(settings))


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """Whether to log a record of aiohttp's. Malformed requests get a 400 and are not logged."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | web.RequestPayloadError))


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM, Ctrl-C, or an error of NATS that an operator has to fix."""
    async with open_services(settings) as services:
        connecting = asyncio.create_task(services.bus.run(settings.nats_url, "gateway"))
        stopped = asyncio.create_task(stop_signal())
        try:
            # On exit: stop accepting, let requests finish, tell WebSocket clients to reconnect.
            async with serving(create_app(services), settings):
                log.info("listening", url=http_url(settings.gateway_host, settings.gateway_port), version=VERSION)
                # `bus.run` returns only by raising an error that an operator has to fix.
                await asyncio.wait({connecting, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if connecting.done():
                    await connecting
                log.info("stopping")
        finally:
            await end((connecting, stopped))


def _raise_file_limit(wanted: int) -> None:
    """Raise the limit of open files: each connection is one, and the default is often 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVED_FILES
    if soft < needed and soft != resource.RLIM_INFINITY:
        allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        if allowed < needed:
            log.warning(
                "the open file limit is below the connection limit: raise `ulimit -Hn`", limit=hard, wanted=needed
            )
