"""What Prometheus reads from gateways and workers alike. Each has more of its own."""

from prometheus_client import Counter

FAILED_WRITES = Counter(
    "musicgen_failed_writes", "Writes that NATS or S3 did not take: record, job, event or object", ["what"]
)
DAMAGED = Counter("musicgen_damaged_records", "Damaged records, by outcome: restored, failed or left", ["outcome"])
