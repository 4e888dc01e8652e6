"""Measures what traces cost a request that is accepted: while they are off, and while they are recorded and sent.

`uv run python -m bench.tracing [--clients 8] [--requests 700] [--rounds 4]`
"""

import argparse
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

from bench.gateway import BODY, WARM_UP
from bench.load import Call, LoadGenerator
from bench.report import machine, percentile, show
from bench.stack import running_stack
from deploy.stack.ports import LOOPBACK
from shared import tracing

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
CALLS = 5000
GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class _Nowhere(SpanExporter):
    def export(self, spans: Sequence[object]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class _Collector(BaseHTTPRequestHandler):
    """Accepts everything."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.tracing", description=__doc__)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--requests", type=int, default=700, help="of each round, at most 800")
    parser.add_argument("--rounds", type=int, default=4, help="with traces, and as many without")
    options = parser.parse_args(arguments)
    off = _seconds(spans_of_a_request)
    with _recording():
        on = _seconds(spans_of_a_request)
    medians = measure_gateway(options.clients, options.requests, options.rounds)
    without, recorded = (statistics.median(medians[is_on]) for is_on in (False, True))
    figures = {
        "spans_off_us": round(off * 1e6, 1),
        "spans_recorded_us": round(on * 1e6, 1),
        "post_p50_off_ms": round(without * 1000, 2),
        "post_p50_recorded_ms": round(recorded * 1000, 2),
        "recorded_to_off": round(recorded / without, 3),
        "off_share": round(off * options.clients / without, 4),
        "clients": options.clients,
        "machine": machine(),
    }
    rows = [
        ("spans of one POST, off, µs", f"{off * 1e6:.1f}", ""),
        ("spans of one POST, recorded, µs", f"{on * 1e6:.1f}", ""),
        (f"POST p50 with {options.clients} clients, off, ms", f"{without * 1000:.2f}", ""),
        ("POST p50, recorded and sent, ms", f"{recorded * 1000:.2f}", ""),
        ("recorded to off", f"{recorded / without:.3f}", ""),
        ("share of the spans in a POST, off", f"{off * options.clients / without:.2%}", "≤ 1%"),
    ]
    show("Traces", rows, figures)


def spans_of_a_request() -> None:
    """The spans that a gateway makes of a POST that queues one job."""
    with tracing.remote_span("POST /api/v1/generate", SpanKind.SERVER, GIVEN, {"http.request.method": "POST"}) as span:
        tracing.traceparent_of(span)
        for destination in ("music.jobs", "music.events"):
            with tracing.sending(destination, f"{destination}.starter", "gen_abc123456789", "gen_abc123456789", GIVEN):
                tracing.current_traceparent()
        tracing.describe_job("gen_abc123456789", "starter")
        span.set_attribute("http.response.status_code", 200)


def _seconds(work: Callable[[], None]) -> float:
    """The time of one call: the fastest of several groups."""
    groups = []
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(CALLS):
            work()
        groups.append((time.perf_counter() - began) / CALLS)
    return min(groups)


@contextmanager
def _recording() -> Iterator[None]:
    provider, known = TracerProvider(shutdown_on_exit=False), tracing._tracer
    provider.add_span_processor(BatchSpanProcessor(_Nowhere()))
    tracing._tracer = provider.get_tracer("bench")
    try:
        yield
    finally:
        tracing._tracer = known
        provider.shutdown()


def measure_gateway(clients: int, requests: int, rounds: int) -> dict[bool, list[float]]:
    """The medians of rounds with and without traces, in turns; each round has a new `musicgen up`."""
    collector = ThreadingHTTPServer((LOOPBACK, 0), _Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    medians: dict[bool, list[float]] = {False: [], True: []}
    generate = Call("/api/v1/generate", BODY)
    with LoadGenerator(clients) as load:
        for number in range(2 * rounds):
            is_on = number % 2 == 1
            os.environ[ENDPOINT] = f"http://{LOOPBACK}:{collector.server_port}" if is_on else ""
            with TemporaryDirectory() as folder, running_stack(Path(folder), "--no-worker") as url:
                load.run(url, [generate] * WARM_UP)
                medians[is_on].append(percentile(load.run(url, [generate] * requests).latencies, 50))
    collector.shutdown()
    return medians


if __name__ == "__main__":
    main()
