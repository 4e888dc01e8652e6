"""What Prometheus reads of records and queues."""

from typing import Any

from prometheus_client import REGISTRY

from gateway.gauges import SERIES, set_gauges
from gateway.index.estimator import Estimator
from gateway.index.job_index import JobIndex
from shared.messages import JobRecord
from shared.topology import MAX_RECORDS
from tests.unit.gateway.samples import completed, entry, record


def series(name: str, label: str) -> dict[str, float]:
    """The values of a gauge by a label."""
    samples = (sample for metric in REGISTRY.collect() if metric.name == name for sample in metric.samples)
    return {sample.labels[label]: sample.value for sample in samples}


def index_of(*records: JobRecord) -> JobIndex:
    index = JobIndex(Estimator())
    for each in records:
        index.apply(entry(each))
    return index


def test_records_are_told_with_their_limit_and_what_is_damaged() -> None:
    index = index_of(record(1), completed(2))
    index.damaged["gen_000000000001"] = 7
    set_gauges(index)
    names = ("musicgen_records", "musicgen_records_limit", "musicgen_records_damaged")
    assert [REGISTRY.get_sample_value(name) for name in names] == [2, MAX_RECORDS, 1]


def test_queues_are_told_by_model_and_by_key() -> None:
    daw: dict[str, Any] = {"owner": "daw"}
    index = index_of(
        record(1, **daw), record(2, model="small"), record(3, is_follower=True, **daw), completed(4, **daw)
    )
    set_gauges(index)
    assert series("musicgen_queued_jobs", "model") == {"starter": 1, "small": 1}
    assert series("musicgen_key_queued_jobs", "key") == {"daw": 2, "(none)": 1}
    assert series("musicgen_key_records", "key") == {"daw": 3, "(none)": 1}
    index.discard(record(2).job_id)
    set_gauges(index)
    assert series("musicgen_queued_jobs", "model") == {"starter": 1}


def test_a_thousand_keys_make_few_series_and_none_is_lost() -> None:
    busy = [record(number, owner="busy") for number in range(1000, 1003)]
    set_gauges(index_of(*busy, *(record(number, owner=f"key-{number}") for number in range(1000))))
    found = series("musicgen_key_records", "key")
    assert len(found) == SERIES + 1
    assert (found["busy"], sum(found.values())) == (3, 1003)
