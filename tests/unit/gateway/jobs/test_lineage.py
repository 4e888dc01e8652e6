"""The family of a take."""

import zlib
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.index.estimator import Estimator
from gateway.index.job_index import JobIndex
from gateway.jobs import lineage
from gateway.jobs.lineage import lineage_of
from shared.edits import Edit, StoredScore
from shared.messages import JobRecord
from tests.unit.gateway.samples import completed, entry, job_id

SCORE = StoredScore(codes=zlib.compress(bytes(160)), tempo="120", samples=1)


def child(number: int, parent: int, **fields: Any) -> JobRecord:
    """A completed child; later numbers are younger."""
    made = completed(number, age=100 - number, **fields)
    edit = Edit(kind="replace", parent=job_id(parent), score=SCORE, from_bar=number)
    return replace(made, recipe=replace(made.recipe, edit=edit))


def family(of: JobRecord, *others: JobRecord, viewer: str | None = None) -> list[tuple[str, str | None]]:
    index = JobIndex(Estimator())
    for each in (of, *others):
        index.apply(entry(each))
    found = lineage_of(of, index, viewer)
    assert found.job_id == of.job_id
    return [(each.job_id, each.parent) for each in found.jobs]


def pairs(*numbers: tuple[int, int | None]) -> list[tuple[str, str | None]]:
    return [(job_id(number), None if parent is None else job_id(parent)) for number, parent in numbers]


def test_a_take_without_relatives_is_alone() -> None:
    assert family(completed(1)) == pairs((1, None))


@pytest.mark.parametrize("asked", [0, 1, 2, 3])
def test_the_whole_family_is_listed_from_any_member_parents_first(asked: int) -> None:
    jobs = [completed(1, age=100), child(2, 1), child(3, 1), child(4, 2)]
    others = [each for each in jobs if each is not jobs[asked]]
    expected = pairs((1, None), (2, 1), (3, 1), (4, 2))
    assert family(jobs[asked], *others, completed(9)) == expected


def test_a_parent_that_is_no_longer_on_record_is_named() -> None:
    index = JobIndex(Estimator())
    index.apply(entry(child(2, 1)))
    first, second = lineage_of(child(2, 1), index, None).jobs
    assert (first.job_id, first.status) == (job_id(1), None)
    assert (second.job_id, second.from_bar, second.kind) == (job_id(2), 2, "replace")


def test_a_removed_child_is_not_listed() -> None:
    index = JobIndex(Estimator())
    for each in (completed(1), child(2, 1), child(3, 1)):
        index.apply(entry(each))
    index.discard(job_id(2))
    assert [each.job_id for each in lineage_of(completed(1), index, None).jobs] == [job_id(1), job_id(3)]


def test_jobs_of_other_keys_are_not_listed() -> None:
    assert family(completed(1, owner="daw"), child(2, 1, owner="web"), viewer="daw") == pairs((1, None))
    assert family(child(2, 1, owner="web"), completed(1, owner="daw"), viewer="web") == pairs((1, None), (2, 1))


def test_a_circle_ends() -> None:
    """No gateway makes one, but a client can send such recipes."""
    assert [found for found, _ in family(child(1, 2), child(2, 1))] == [job_id(1), job_id(2)]


def test_a_large_family_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "MOST_RELATIVES", 3)
    assert len(family(completed(1), *(child(number, 1) for number in range(2, 9)))) == 3
