"""The table of records against a plain dict."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.index.record_table import RecordTable, summarize
from shared.messages import TERMINAL, JobStatus
from shared.records import Entry
from tests.unit.gateway.samples import completed, entry, job_id, record

NUMBERS = st.integers(0, 5)
STEPS = st.lists(st.tuples(NUMBERS, st.sampled_from(JobStatus), st.integers(1, 9)) | NUMBERS, max_size=30)


@given(STEPS)
def test_any_history_gives_the_same_result_as_a_dict(steps: list[tuple[int, JobStatus, int] | int]) -> None:
    table, model = RecordTable(), dict[str, Entry]()
    for step in steps:
        if isinstance(step, int):
            table.remove(job_id(step))
            model.pop(job_id(step), None)
            continue
        number, status, revision = step
        put = entry(record(number, status=status), revision)
        table.put(put)
        model.pop(job_id(number), None)
        model[job_id(number)] = put

    assert list(table.summaries) == list(model)
    for number in range(6):
        assert table.entry(job_id(number)) == model.get(job_id(number))
    assert table.unfinished() == [each for each in model.values() if not each.record.status.is_terminal]
    for name, summary in table.summaries.items():
        known = model[name]
        assert (summary.record, summary.revision, summary.status) == (known.record, known.revision, known.record.status)


@pytest.mark.parametrize("status", JobStatus)
def test_only_finished_jobs_are_packed_others_stay_the_same_object(status: JobStatus) -> None:
    table, put = RecordTable(), entry(record(1, status=status))
    table.put(put)
    assert (table.entry(job_id(1)) is put) == (status not in TERMINAL)
    assert isinstance(table.summaries[job_id(1)].content, bytes) == (status in TERMINAL)


def test_a_summary_needs_no_unpacking(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(data: bytes) -> Any:
        raise AssertionError(data)

    monkeypatch.setattr("gateway.index.record_table.unpack", never)
    summary = summarize(entry(completed(1, checkpoint="abc", duration=7.0), 3))
    assert (summary.revision, summary.status, summary.charged, summary.checkpoint) == (
        3,
        JobStatus.COMPLETED,
        7.0,
        "abc",
    )


def test_older_than_lists_only_records_before_the_revision() -> None:
    table = RecordTable()
    for number in range(3):
        table.put(entry(completed(number), number + 1))
    table.put(entry(completed(0), 4))
    assert table.older_than(1) == []
    assert table.older_than(3) == [job_id(1)]
    assert table.older_than(9) == [job_id(1), job_id(2), job_id(0)]
