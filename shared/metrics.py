"""Prometheus metrics that gateways and workers share. Each has more in its own metrics.py."""

from prometheus_client import Counter, disable_created_metrics

from shared.tracing import trace_id_of

# A second series for each counter and histogram, with the time at which it began: no query here uses it.
disable_created_metrics()  # type: ignore[no-untyped-call]

FAILED_WRITES = Counter("musicgen_failed_writes", "Failed writes to NATS or S3: record, job, event or object", ["what"])
DAMAGED = Counter("musicgen_damaged_records", "Damaged records, by outcome: restored, failed or left", ["outcome"])


def exemplar(traceparent: str | None, **labels: str) -> dict[str, str] | None:
    """The labels that lead from a histogram to one request: its trace id and `labels`; None without a trace."""
    trace_id = trace_id_of(traceparent)
    return None if trace_id is None else {"trace_id": trace_id, **labels}
