"""The gauges that are read from the index: records, and queues by model and by API key."""

from collections.abc import Mapping

from prometheus_client import Gauge

from gateway import metrics
from gateway.index.job_index import JobIndex
from shared.messages import JobStatus
from shared.topology import MAX_RECORDS

# So many series a gauge has by key or model. The rest is one more.
SERIES = 20
# No key and no model is called so.
OTHERS, NO_KEY = "(others)", "(none)"


def set_gauges(index: JobIndex) -> None:
    """Set them to what the index holds now."""
    metrics.RECORDS.set(index.count(None))
    metrics.RECORDS_LIMIT.set(MAX_RECORDS)
    metrics.RECORDS_DAMAGED.set(len(index.damaged))
    _set(metrics.QUEUED_JOBS, index.waiting())
    _set(metrics.KEY_QUEUED_JOBS, _by_key(index, JobStatus.QUEUED))
    _set(metrics.KEY_RECORDS, _by_key(index, None))


def _by_key(index: JobIndex, status: JobStatus | None) -> dict[str, int]:
    owned = {owner: index.count(status, owner) for owner in index.owners()}
    return owned | {NO_KEY: index.count(status) - sum(owned.values())}


def _set(gauge: Gauge, values: Mapping[str, int]) -> None:
    most = sorted((each for each in values.items() if each[1]), key=lambda each: each[1], reverse=True)
    shown = dict(most[:SERIES])
    if rest := sum(count for _, count in most[SERIES:]):
        shown[OTHERS] = rest
    gauge.clear()
    for name, count in shown.items():
        gauge.labels(name).set(count)
