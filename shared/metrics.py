"""Prometheus metrics that gateways and workers share. Each has more in its own metrics.py."""

import re

from prometheus_client import Counter, disable_created_metrics

# A second series for each counter and histogram, with the time at which it began: no query here uses it.
disable_created_metrics()  # type: ignore[no-untyped-call]

FAILED_WRITES = Counter("musicgen_failed_writes", "Failed writes to NATS or S3: record, job, event or object", ["what"])
DAMAGED = Counter("musicgen_damaged_records", "Damaged records, by outcome: restored, failed or left", ["outcome"])

_TRACE_ID = re.compile(r"00-([0-9a-f]{32})-")


def exemplar(traceparent: str | None, **labels: str) -> dict[str, str] | None:
    """The labels that lead from a histogram to one request: its trace id and `labels`; None without a trace."""
    found = _TRACE_ID.match(traceparent or "")
    return {"trace_id": found[1], **labels} if found else None
