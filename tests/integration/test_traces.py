"""One trace from the request to the webhook, over a real gateway and worker."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.semconv import attributes as stable
from opentelemetry.semconv._incubating import attributes as incubating
from opentelemetry.trace import SpanKind, StatusCode, TraceFlags

from shared import tracing
from tests.integration.system import System, eventually
from tests.integration.webhook_receiver import SETTINGS, receiving

TRACE_ID, CLIENT_SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACE = {"traceparent": f"00-{TRACE_ID}-{CLIENT_SPAN}-01"}
SCORING = {"MUSICGEN_ENGINE": "tests.engines:load_scoring"}


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The spans of the test's gateways and workers."""
    found, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(found))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("musicgen"))
    yield found
    provider.shutdown()


def ids(span: ReadableSpan) -> tuple[str, str]:
    """The trace's id and the span's."""
    context = span.get_span_context()
    assert context is not None
    return format(context.trace_id, "032x"), format(context.span_id, "016x")


class Tree:
    """Finished spans by their parents."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self.spans = exporter.get_finished_spans()
        self.of = {ids(span)[1]: span for span in self.spans}

    def one(self, name: str) -> ReadableSpan:
        (span,) = (span for span in self.spans if span.name == name)
        return span

    def path(self, span: ReadableSpan) -> list[str]:
        """The names from the root to the span; the root is the client's span id if that sent one."""
        if span.parent is None:
            return [span.name]
        parent = format(span.parent.span_id, "016x")
        return [*(self.path(self.of[parent]) if parent in self.of else [parent]), span.name]

    @property
    def paths(self) -> set[str]:
        return {" > ".join(self.path(span)) for span in self.spans}


async def traced(exporter: InMemorySpanExporter, last: str) -> Tree:
    """The tree as soon as it has a span of this name."""

    async def ended() -> bool:
        return any(span.name == last for span in exporter.get_finished_spans())

    await eventually(ended, f"the span {last} ends")
    return Tree(exporter)


async def test_one_trace_leads_from_the_request_to_the_webhook(system: System, exporter: InMemorySpanExporter) -> None:
    api, _ = await system.gateway(**SETTINGS), await system.worker(**SCORING)
    async with receiving() as receiver:
        job_id = await api.generate(headers=TRACE, webhook=receiver.url, outputs=["midi"])
        await traced(exporter, "POST webhook")
        tree = await traced(exporter, "process music.jobs")
    root = f"{CLIENT_SPAN} > POST /api/v1/generate"
    work = f"{root} > send music.jobs > process music.jobs"
    assert tree.paths == {
        root,
        f"{root} > send music.jobs",
        f"{root} > send music.events",  # queued
        work,
        f"{work} > claim",
        f"{work} > claim > send music.events",  # processing
        f"{work} > generate",
        f"{work} > generate > decode",
        f"{work} > produce",
        f"{work} > produce > master",
        f"{work} > produce > encode",
        f"{work} > upload",
        f"{work} > send music.events",  # completed
        f"{work} > send music.events > POST webhook",
    }
    assert {ids(span)[0] for span in tree.spans} == {TRACE_ID}
    assert {span.status.status_code for span in tree.spans} == {StatusCode.UNSET}
    for name in ("POST /api/v1/generate", "process music.jobs"):
        attributes = tree.one(name).attributes or {}
        assert (attributes["musicgen.job.id"], attributes["musicgen.model"]) == (job_id, "starter")
    generate, decode = tree.one("generate"), tree.one("decode")
    assert (generate.start_time or 0) <= (decode.start_time or 0) < (decode.end_time or 0) <= (generate.end_time or 0)
    stored = (tree.one("upload").attributes or {})["musicgen.bytes"]
    assert isinstance(stored, int)
    assert stored > (await api.status(job_id))["file_size"]


async def test_names_and_kinds_follow_the_semantic_conventions(system: System, exporter: InMemorySpanExporter) -> None:
    api, _ = await system.gateway(**SETTINGS), await system.worker(**SCORING)
    async with receiving() as receiver:
        await api.generate(webhook=receiver.url)
        await traced(exporter, "POST webhook")
        tree = await traced(exporter, "process music.jobs")
    used = {name for span in tree.spans for name in span.attributes or {} if not name.startswith("musicgen.")}
    assert {name.split(".")[0] for name in used} == {"http", "url", "server", "messaging"}
    assert used <= conventional_names()
    kinds = {span.name: span.kind for span in tree.spans if span.kind is not SpanKind.INTERNAL}
    assert kinds == {
        "POST /api/v1/generate": SpanKind.SERVER,
        "send music.jobs": SpanKind.PRODUCER,
        "process music.jobs": SpanKind.CONSUMER,
        "send music.events": SpanKind.PRODUCER,
        "POST webhook": SpanKind.CLIENT,
    }


def conventional_names() -> set[str]:
    """All attributes that OpenTelemetry's own package of semantic conventions knows."""
    import importlib
    import pkgutil

    names = set()
    for package in (stable, incubating):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            values = vars(importlib.import_module(module.name)).values()
            names |= {value for value in values if isinstance(value, str)}
    return names


@pytest.mark.parametrize(("prompt", "kind"), [("fail", "error"), ("mute", "silent")])
async def test_the_reason_of_a_failed_job_is_in_its_span(
    system: System, exporter: InMemorySpanExporter, prompt: str, kind: str
) -> None:
    api, _ = await system.gateway(), await system.worker()
    await api.until(await api.generate(prompt), "failed")
    span = (await traced(exporter, "process music.jobs")).one("process music.jobs")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == kind


async def test_an_error_in_the_engine_is_recorded_where_it_happened(
    system: System, exporter: InMemorySpanExporter
) -> None:
    api, _ = await system.gateway(), await system.worker()
    await api.until(await api.generate("fail"), "failed")
    generate = (await traced(exporter, "process music.jobs")).one("generate")
    (event,) = generate.events
    assert "no such chord" in str((event.attributes or {})["exception.message"])


async def test_polls_have_no_span_unless_the_client_traces_them(system: System, exporter: InMemorySpanExporter) -> None:
    api = await system.gateway()
    job_id = await api.generate()
    exporter.clear()
    await api.status(job_id)
    assert exporter.get_finished_spans() == ()
    async with api.http.get(f"/api/v1/status/{job_id}", headers=TRACE) as response:
        assert response.status == 200
    assert Tree(exporter).paths == {f"{CLIENT_SPAN} > GET /api/v1/status/{{job_id}}"}


async def test_a_request_that_is_not_sampled_gives_a_job_without_spans(
    system: System, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The gateway draws; the worker's sampler, as the SDK's default, follows the gateway.
    api, _ = await system.gateway(), await system.worker()
    recording = tracing._tracer
    monkeypatch.setattr(tracing, "_tracer", TracerProvider(TraceIdRatioBased(0)).get_tracer("musicgen"))
    job_id = await api.generate()
    monkeypatch.setattr(tracing, "_tracer", recording)
    assert (await api.until(job_id, "completed"))["job_id"] == job_id
    entry = await (await system.records()).get(job_id)
    assert entry is not None
    flags = int((entry.record.traceparent or "").rpartition("-")[2], 16)
    assert flags & TraceFlags.SAMPLED == 0
    assert entry.record.attempt_traceparent is None
