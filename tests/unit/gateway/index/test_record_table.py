"""The table of records against a plain dict, and what a later process finds of it."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.index.database import FILE, open_database
from gateway.index.position import Position
from gateway.index.record_table import SCHEMA, FeedPosition, RecordTable
from shared.errors import SettingsError
from shared.messages import JobStatus
from shared.records import Entry
from tests.unit.gateway.samples import NOON, completed, entry, job_id, record

NUMBERS = st.integers(0, 5)
STEPS = st.lists(st.tuples(NUMBERS, st.sampled_from(JobStatus), st.integers(1, 9)) | NUMBERS, max_size=30)
POSITION = FeedPosition(NOON, 7, NOON + timedelta(microseconds=1))


def kept(folder: Path, schema: str = SCHEMA) -> RecordTable:
    return RecordTable(open_database(folder, schema))


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

    assert table.job_ids() == set(model)
    for number in range(6):
        found = model.get(job_id(number))
        assert table.entry(job_id(number)) == found
        assert table.revision(job_id(number)) == (found.revision if found else None)
    assert table.unfinished() == [each for each in model.values() if not each.record.status.is_terminal]
    for revision in range(10):
        assert set(table.older_than(revision)) == {name for name, each in model.items() if each.revision < revision}


@pytest.mark.parametrize("status", JobStatus)
def test_an_unfinished_job_stays_the_same_object(status: JobStatus) -> None:
    table, put = RecordTable(), entry(record(1, status=status))
    table.put(put)
    assert (table.entry(job_id(1)) is put) == (not status.is_terminal)


def test_charges_are_those_of_the_owner_since_a_moment() -> None:
    table = RecordTable()
    for number in range(4):
        table.put(entry(completed(number, owner="daw", age=number)))
    table.put(entry(completed(4, owner="daw", source=job_id(1))))
    table.put(entry(completed(5, owner="web")))
    assert table.charges("daw", NOON - timedelta(seconds=2)) == [
        (NOON - timedelta(seconds=age), 10.0) for age in (2, 1, 0)
    ]


def test_no_query_reads_or_sorts_the_whole_table() -> None:
    """With 200,000 records that takes a second, in which the gateway answers nothing."""
    database, seen = open_database(None, SCHEMA), list[str]()
    database.set_trace_callback(seen.append)
    table = RecordTable(database)
    for owner in (None, "daw"):
        for status in (None, JobStatus.FAILED):
            table.newest(9, status, None, owner)
            table.newest(9, status, Position(NOON, job_id(1)), owner)
        list(table.spare(owner, NOON, NOON))
    table.charges("daw", NOON)
    table.children(job_id(1))
    list(table.shareable(b""))
    list(table.shareable_any_seed(b""))
    table.older_than(3)
    for ask in (table.entry, table.revision, table.checkpoint, table.remove):
        ask(job_id(1))
    database.set_trace_callback(None)
    plans = [row[3] for query in seen if " FROM " in query for row in database.execute(f"EXPLAIN QUERY PLAN {query}")]
    assert len(plans) > 15
    assert [step for step in plans if "USING" not in step] == []


def test_a_later_process_finds_what_was_saved(tmp_path: Path) -> None:
    first = kept(tmp_path)
    waiting, done = entry(record(1, owner="daw"), 5), entry(completed(2), 6)
    for each in (waiting, done):
        first.put(each)
    first.note_changed(job_id(1), NOON + timedelta(seconds=3))
    first.save(POSITION)
    first.put(entry(record(3), 8))
    first.close()  # as a killed process: what was not saved is lost

    second = kept(tmp_path)
    assert second.position() == POSITION
    assert (second.count(None), second.count(JobStatus.QUEUED, "daw"), second.job_ids()) == (
        2,
        1,
        {job_id(1), job_id(2)},
    )
    assert list(second.resume(9)) == [(waiting, NOON + timedelta(seconds=3)), (done, None)]
    assert second.unfinished() == [waiting]


def test_unfinished_jobs_are_resumed_however_old_their_last_change_is(tmp_path: Path) -> None:
    first = kept(tmp_path)
    first.put(entry(record(1), 1))
    for number in range(2, 6):
        first.put(entry(completed(number), number))
    first.save(POSITION)
    first.close()
    second = kept(tmp_path)
    assert [each.record.job_id for each, _ in second.resume(2)] == [job_id(1), job_id(4), job_id(5)]


def test_only_the_owner_of_the_process_can_read_the_file(tmp_path: Path) -> None:
    table = kept(tmp_path / "index")
    table.put(entry(record(1)))
    table.save(POSITION)
    assert [file.name for file in tmp_path.glob("index/*") if file.stat().st_mode & 0o077] == []
    assert (tmp_path / "index").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["another schema", "another start of the machine", "not a database"])
def test_a_file_that_cannot_be_trusted_is_made_again(
    tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, schema = kept(tmp_path), SCHEMA
    first.put(entry(record(1)))
    first.save(POSITION)
    first.close()
    match damage:
        case "another schema":
            schema += "CREATE TABLE more (field TEXT);"
        case "another start of the machine":
            (tmp_path / "boot").write_text("another")
            monkeypatch.setattr("gateway.index.database._BOOT", tmp_path / "boot")
        case _:
            (tmp_path / FILE).write_bytes(b"x" * 8192)
    second = kept(tmp_path, schema)
    assert (second.position(), second.count(None)) == (None, 0)
    second.put(entry(record(2)))
    second.save(POSITION)
    second.close()
    assert kept(tmp_path, schema).job_ids() == {job_id(2)}


def test_two_gateways_with_one_folder_do_not_share_the_file(tmp_path: Path) -> None:
    first, second = kept(tmp_path), kept(tmp_path)
    second.put(entry(record(2)))
    second.save(POSITION)
    assert (first.count(None), first.position()) == (0, None)


def test_a_folder_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="GATEWAY_INDEX_DIR must be a folder"):
        kept(tmp_path / "file")
