"""Reading a whole bucket, from watchers that tell too little or too early."""

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest
from nats.js.kv import KeyValue

from gateway.estimate import Estimator
from gateway.job_index import JobIndex
from shared import records
from shared.errors import UnavailableError
from shared.messages import JobRecord
from shared.records import encode_record, read_all
from tests.unit.gateway.samples import completed, job_id


class Watcher:
    """Tells of so much, and then of nothing."""

    def __init__(self, updates: list[KeyValue.Entry | None]) -> None:
        self.stopped = False
        self._updates = updates

    async def updates(self, timeout: float | None) -> KeyValue.Entry | None:
        if not self._updates:
            await asyncio.Event().wait()
        return self._updates.pop(0)

    async def stop(self) -> None:
        self.stopped = True


class Bucket:
    """Holds as many records as it says, whatever its watcher tells of them."""

    def __init__(self, values: int, *updates: KeyValue.Entry | None) -> None:
        self.values = values
        self.watcher = Watcher([*updates])

    async def watchall(self) -> Watcher:
        return self.watcher

    async def status(self) -> SimpleNamespace:
        return SimpleNamespace(values=self.values)


def update(of: JobRecord, revision: int, left: int) -> KeyValue.Entry:
    return KeyValue.Entry("music_jobs", of.job_id, encode_record(of), revision, left, None, None)


async def read(bucket: Bucket) -> list[str]:
    """The keys that a reading finds before it says that it is over."""
    found: list[str] = []
    watcher = cast(KeyValue.KeyWatcher, bucket.watcher)
    async with asyncio.timeout(5):
        await read_all(cast(KeyValue, bucket), watcher, lambda each: found.append(each.key))
    return found


ONE, TWO = update(completed(1), 7, left=1), update(completed(2), 8, left=0)


async def test_a_reading_ends_with_the_last_record() -> None:
    assert await read(Bucket(2, ONE, TWO)) == [ONE.key, TWO.key]


async def test_a_reading_of_nothing_ends() -> None:
    assert await read(Bucket(0, None)) == []


async def test_an_end_that_is_told_before_the_first_record_is_none() -> None:
    assert await read(Bucket(2, None, ONE, TWO)) == [ONE.key, TWO.key]


async def test_a_reading_that_fails_leaves_no_watcher_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "SILENCE", 0.05)
    index, bucket = JobIndex(Estimator()), Bucket(2, ONE)
    with pytest.raises(UnavailableError, match=r"said nothing for 0.05 s"):
        await index.follow(cast(KeyValue, bucket))
    assert bucket.watcher.stopped
    assert index.get(job_id(1)) == completed(1)
