"""`musicgen gateway`: runs until SIGTERM or Ctrl-C, then finishes what it is answering."""

import asyncio
import errno
import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from gateway.app import create_app, open_services
from gateway.binding import check_binding
from gateway.keys import load_keys
from shared.errors import SettingsError
from shared.lifecycle import end, stop_signal
from shared.logs import configure_logs, get_logger
from shared.settings import Settings, load_settings
from shared.version import VERSION

log = get_logger(__name__)


def main() -> None:
    """Run the gateway with the environment's settings.

    Raises:
        MusicgenError: for what only a person can mend; the message says how.
    """
    settings = load_settings()
    configure_logs(settings.log_level, settings.log_format, "gateway")
    check_binding(settings, load_keys(settings))
    logging.getLogger("aiohttp.server").addFilter(_is_ours)
    asyncio.run(serve(settings))


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether a line of aiohttp's is worth logging: bytes that are no HTTP are answered 400 and no news."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | web.RequestPayloadError))


async def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    async with open_services(settings) as services:
        runner = web.AppRunner(
            create_app(services), handler_cancellation=True, shutdown_timeout=settings.shutdown_grace, access_log=None
        )
        await runner.setup()
        connecting = asyncio.create_task(services.bus.run(settings.nats_url, "gateway"))
        stopped = asyncio.create_task(stop_signal())
        try:
            await _listen(runner, settings)
            log.info("listening", url=f"http://{settings.gateway_host}:{settings.gateway_port}", version=VERSION)
            # The bus ends by itself only with an error that a person must mend.
            await asyncio.wait({connecting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if connecting.done():
                await connecting
            log.info("stopping")
        finally:
            # Stop accepting, let requests finish, tell WebSocket clients to come back.
            await runner.cleanup()
            await end((connecting, stopped))


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    try:
        await web.TCPSite(runner, settings.gateway_host, settings.gateway_port).start()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise SettingsError(f"GATEWAY_HOST: cannot listen on {settings.gateway_host}: {error.strerror}") from error
        raise SettingsError(
            f"GATEWAY_PORT: port {settings.gateway_port} is taken by another program. Stop it, or set another port."
        ) from error
