"""The failure of a job whose record is damaged."""

from typing import Any

import msgspec
import pytest

from shared.messages import UNDECODABLE, JobRecord, JobStatus, job_of
from shared.records import encode_record, record_at
from shared.transition_checks import check
from shared.transitions import DAMAGED, failed_by_damage, failed_from_message
from tests.unit.gateway.samples import completed, job_id, record

ME = job_id(1)


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        encode_record(record(2)),
        encode_record(record(1))[:-2],
        encode_record(record(1)).replace(b'"queued"', b'"paused"'),
        encode_record(record(1)).replace(b'"attempts":0', b'"attempts":null'),
    ],
    ids=lambda data: str(data)[:30],
)
def test_invalid_records_are_damaged(data: bytes | None) -> None:
    with pytest.raises(UNDECODABLE):
        record_at(ME, data)


def test_newer_fields_do_not_damage_a_record() -> None:
    newer = msgspec.json.decode(encode_record(record(1))) | {"invented": "later"}
    assert record_at(ME, msgspec.json.encode(newer)) == record(1)


def test_the_failure_keeps_the_owner_in_the_message() -> None:
    found = failed_from_message(job_of(record(1, owner="daw")))
    assert (found.job_id, found.owner, found.status, found.error_message) == (ME, "daw", JobStatus.FAILED, DAMAGED)
    assert found.claims == 1  # files of an earlier attempt get removed


@pytest.mark.parametrize(
    "known",
    [
        record(1),
        record(1, is_follower=True),
        record(1, status=JobStatus.PROCESSING, attempts=3, quarantined=True, awaiting_engine=True, keep_requested=True),
        completed(1, error_message="edited"),
    ],
)
def test_a_failure_from_any_known_state_is_valid(known: JobRecord) -> None:
    end = failed_by_damage(known)
    before: dict[str, Any] = {"status": JobStatus.QUEUED, "audio": None, "timings": None, "progress": 0.0}
    same = msgspec.structs.replace(known, error_message=None, source=None, **before)
    assert check(same, end).after is JobStatus.FAILED
