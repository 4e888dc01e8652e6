"""Prometheus metrics that gateways and workers share. Each has more in its own metrics.py."""

from prometheus_client import Counter

FAILED_WRITES = Counter("musicgen_failed_writes", "Failed writes to NATS or S3: record, job, event or object", ["what"])
DAMAGED = Counter("musicgen_damaged_records", "Damaged records, by outcome: restored, failed or left", ["outcome"])
