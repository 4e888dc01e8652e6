"""Traces by OpenTelemetry: one trace leads from the HTTP request through NATS and the worker to the webhook.

Only OpenTelemetry's interface is always installed. Until an SDK is configured, no span is made. Names and attributes
follow OpenTelemetry's semantic conventions; those without one begin with `musicgen`.
"""

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from shared.version import VERSION

_tracer = trace.get_tracer("musicgen", VERSION)
_NO_SPAN = nullcontext(trace.INVALID_SPAN)
_propagator = TraceContextTextMapPropagator()
_TRACE_ID = re.compile(r"00-([0-9a-f]{32})-")


def _is_off() -> bool:
    """Whether there is no SDK. OpenTelemetry's interface then makes spans without effect, at ten times the cost."""
    return isinstance(_tracer, trace.ProxyTracer) and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    parent: str | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> AbstractContextManager[Span]:
    """A span that lasts as long as the block; an exception that leaves the block is recorded.

    Args:
        name: of the operation.
        kind: its role between processes.
        parent: the traceparent of a span in another process; None is the current span of this one.
        attributes: of the span.
    """
    if _is_off():
        return _NO_SPAN
    context = None if parent is None else context_of(parent)
    return _tracer.start_as_current_span(name, context, kind, attributes)


def remote_span(
    name: str, kind: SpanKind, parent: str | None, attributes: Mapping[str, AttributeValue]
) -> AbstractContextManager[Span]:
    """The same for work that another process asked for: without a parent it starts a new trace."""
    if _is_off():
        return _NO_SPAN
    return _tracer.start_as_current_span(name, context_of(parent), kind, attributes)


def past_span(name: str, began: int, ended: int, attributes: Mapping[str, AttributeValue]) -> None:
    """A span below the current one, for work that was measured elsewhere; times in nanoseconds since 1970."""
    _tracer.start_span(name, attributes=attributes, start_time=began).end(ended)


def context_of(traceparent: str | None) -> Context:
    """The context whose current span is the one of `traceparent`; an empty one if that is missing or malformed."""
    return _propagator.extract({} if traceparent is None else {"traceparent": traceparent})


def traceparent_of(started: Span) -> str | None:
    """The W3C traceparent of a span; None if it belongs to no trace."""
    if not started.get_span_context().is_valid:
        return None
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(started, Context()))
    return carrier.get("traceparent")


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace's id; None without a trace."""
    found = _TRACE_ID.match(traceparent or "")
    return found[1] if found else None


def current_traceparent() -> str | None:
    """The traceparent of the current span; None if it is not recorded."""
    current = trace.get_current_span()
    return traceparent_of(current) if current.is_recording() else None


def sending(
    destination: str, subject: str, message_id: str, job_id: str, traceparent: str | None
) -> AbstractContextManager[Span]:
    """The span of publishing a message about a job.

    Args:
        destination: the part of the subject that all such messages share.
        subject: of the message.
        message_id: by which the broker recognises repetitions.
        job_id: of the job.
        traceparent: of the job's request, which is the parent if no span is current.
    """
    parent = None if trace.get_current_span().get_span_context().is_valid else traceparent
    attributes = {
        "messaging.system": "nats",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.destination.name": subject,
        "messaging.destination.template": destination,
        "messaging.message.id": message_id,
        "musicgen.job.id": job_id,
    }
    return span(f"send {destination}", SpanKind.PRODUCER, parent=parent, attributes=attributes)


def describe_job(job_id: str, model: str) -> None:
    """Say in the current span which job it is about."""
    trace.get_current_span().set_attributes({"musicgen.job.id": job_id, "musicgen.model": model})


def link(traceparent: str | None) -> None:
    """Link the current span to one that did a part of its work before."""
    earlier = trace.get_current_span(context_of(traceparent)).get_span_context()
    if earlier.is_valid:
        trace.get_current_span().add_link(earlier)


def failed(kind: str, reason: str) -> None:
    """Mark the current span as failed. `kind` is the class of the error, with few values."""
    current = trace.get_current_span()
    current.set_attribute("error.type", kind)
    current.set_status(Status(StatusCode.ERROR, reason))
