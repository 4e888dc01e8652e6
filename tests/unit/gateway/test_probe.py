"""Health checks and gauges."""

from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from gateway.index.estimator import Estimator
from gateway.index.job_index import JobIndex
from gateway.probe import MAX_SERIES, Component, set_index_gauges
from gateway.services import Services
from shared.bus import Bus
from shared.errors import BucketError, UnavailableError
from shared.messages import JobRecord
from shared.topology import MAX_RECORDS
from tests.unit.gateway.samples import completed, entry, record


@pytest.fixture
def fail(services: Services, monkeypatch: pytest.MonkeyPatch) -> list[Exception | None]:
    """The exceptions that the next checks of S3 raise, in order."""
    outcomes: list[Exception | None] = []

    async def check() -> None:
        if error := outcomes.pop(0):
            raise error

    monkeypatch.setattr(services.storage, "check", check)
    return outcomes


async def test_one_failed_check_is_tolerated_and_one_success_recovers(
    services: Services, fail: list[Exception | None]
) -> None:
    probe, found = services.probe, []
    away = UnavailableError("S3 is away")
    fail += [None, away, None, away, away, None]
    while fail:
        await probe._check_s3()
        found.append(probe.s3.status)
    assert found == ["healthy", "healthy", "healthy", "healthy", "degraded", "healthy"]


async def test_the_first_check_counts_at_once(services: Services, fail: list[Exception | None]) -> None:
    fail.append(BucketError("S3 has no bucket music-audio"))
    await services.probe._check_s3()
    assert services.probe.s3 == Component("unhealthy", "S3 has no bucket music-audio")


@pytest.mark.parametrize(("seconds", "words"), [(1, None), (60, "cannot be followed")])
async def test_a_gateway_with_a_stale_record_feed_is_not_ready(
    services: Services, monkeypatch: pytest.MonkeyPatch, seconds: int, words: str | None
) -> None:
    monkeypatch.setattr(Bus, "is_ready", True)
    monkeypatch.setattr(services.index, "feed_outage", lambda: timedelta(seconds=seconds))
    assert (services.probe.not_ready_reason is None) == (words is None)
    assert (words or "") in (services.probe.not_ready_reason or "")


def series(name: str, label: str) -> dict[str, float]:
    """The values of a gauge by one label."""
    samples = (sample for metric in REGISTRY.collect() if metric.name == name for sample in metric.samples)
    return {sample.labels[label]: sample.value for sample in samples}


def index_of(*records: JobRecord) -> JobIndex:
    index = JobIndex(Estimator())
    for each in records:
        index.apply(entry(each))
    return index


def test_gauges_show_records_their_limit_and_damaged_ones() -> None:
    index = index_of(record(1), completed(2))
    index.damaged["gen_000000000001"] = 7
    set_index_gauges(index)
    names = ("musicgen_records", "musicgen_records_limit", "musicgen_records_damaged")
    assert [REGISTRY.get_sample_value(name) for name in names] == [2, MAX_RECORDS, 1]


def test_gauges_show_queues_by_model_and_key() -> None:
    daw: dict[str, Any] = {"owner": "daw"}
    index = index_of(
        record(1, **daw), record(2, model="small"), record(3, is_follower=True, **daw), completed(4, **daw)
    )
    set_index_gauges(index)
    assert series("musicgen_queued_jobs", "model") == {"starter": 1, "small": 1}
    assert series("musicgen_key_queued_jobs", "key") == {"daw": 2, "(none)": 1}
    assert series("musicgen_key_records", "key") == {"daw": 3, "(none)": 1}
    index.discard(record(2).job_id)
    set_index_gauges(index)
    assert series("musicgen_queued_jobs", "model") == {"starter": 1}


def test_a_thousand_keys_make_few_series() -> None:
    busy = [record(number, owner="busy") for number in range(1000, 1003)]
    set_index_gauges(index_of(*busy, *(record(number, owner=f"key-{number}") for number in range(1000))))
    found = series("musicgen_key_records", "key")
    assert len(found) == MAX_SERIES + 1
    assert (found["busy"], sum(found.values())) == (3, 1003)
