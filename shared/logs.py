"""Structured logs on stderr, as text or JSON: one event per line, with the job id bound to it."""

import io
import logging
import sys
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo

from shared.text import escaped

Logger = structlog.stdlib.BoundLogger


def configure_logs(level: str, style: Literal["text", "json"], role: str) -> None:
    """Send this process's logs, and those of its libraries, to stderr."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if style == "json":
        render: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        colors = sys.stderr.isatty()
        console = structlog.dev.ConsoleRenderer(colors=colors, pad_event_to=0, exception_formatter=_plain_traceback)
        render = [_escape, console]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Our own code logs their errors again with more context. aiohttp.websocket would also log the subprotocols of a
    # handshake, which may contain an API key.
    for noisy in ("aiohttp.access", "aiohttp.websocket", "urllib3", "nats"):
        logging.getLogger(noisy).setLevel("ERROR")
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,  # first: what is not logged costs nothing
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(role=role)


def _escape(logger: object, method: str, event: EventDict) -> EventDict:
    """Escape control and bidirectional characters. The JSON renderer writes ASCII anyway."""
    # The renderer itself escapes line breaks in values.
    return {
        name: escaped(value, keep="" if name == "event" else "\n\r\t") if isinstance(value, str) else value
        for name, value in event.items()
    }


def _plain_traceback(file: TextIO, exc_info: ExcInfo) -> None:
    """A traceback without local variables, which could contain prompts and API keys."""
    text = io.StringIO()
    structlog.dev.plain_traceback(text, exc_info)
    file.write(escaped(text.getvalue(), keep="\n\t"))


def get_logger(name: str) -> Logger:
    """A logger whose calls take an event and fields: `log.info("job claimed", job_id=…)`."""
    logger: Logger = structlog.stdlib.get_logger(name)
    return logger
