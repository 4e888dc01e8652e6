"""Sends spans to the collector that the environment names, by OTLP over HTTP. The SDK reads further OTEL_* variables.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace

from shared.errors import SettingsError
from shared.version import VERSION

# Seconds that the end of the process waits for the last spans to be sent.
CLOSING = 2.0
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def is_wanted(environ: Mapping[str, str]) -> bool:
    """Whether the environment names a collector.

    Raises:
        SettingsError: if it asks for an exporter or a protocol that is not supported.
    """
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter not in ("", "otlp", "none"):
        raise SettingsError(f"OTEL_TRACES_EXPORTER must be otlp or none, not {exporter!r}.")
    is_off = exporter == "none" or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if is_off or not (exporter or any(environ.get(name) for name in ENDPOINTS)):
        return False
    for name in PROTOCOLS:
        if environ.get(name, "") not in ("", "http/protobuf"):
            raise SettingsError(f"{name} must be http/protobuf, not {environ[name]!r}.")
    return True


@contextmanager
def exporting(role: str, environ: Mapping[str, str] = os.environ) -> Iterator[None]:
    """During the block, send spans to the collector that the environment names, if it names one.

    A thread sends them in batches. While the collector is away, spans wait in a bounded queue and are then dropped.

    Raises:
        SettingsError: if the extra `tracing` is missing, or as `is_wanted`.
    """
    if not is_wanted(environ):
        yield
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, which need an extra: install tellurstori-musicgen[tracing], "
            "in a clone with `uv sync --extra tracing`. Or unset the variable."
        ) from error
    resource = Resource.create(_resource(role, environ))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        # In a thread, because the SDK would wait for half a minute for a collector that does not answer.
        closing = threading.Thread(target=provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSING)


def _resource(role: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What identifies the process. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES come first; the SDK reads them."""
    known = environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    own = {"service.name": f"musicgen-{role}", "service.version": VERSION}
    if environ.get("OTEL_SERVICE_NAME"):
        del own["service.name"]
    return {name: value for name, value in own.items() if f"{name}=" not in known}
