"""The table of transitions: what it allows, and that it refuses everything else."""

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from shared.errors import TransitionError
from shared.messages import JobRecord, JobStatus, Recipe, now
from shared.transitions import TRANSITIONS, check
from tests.records import ending, some_audio

NEW = JobRecord(
    job_id="gen_000000000000",
    recipe=Recipe(model="starter", prompt="tone", duration=1.0),
    created_at=now(),
    updated_at=now(),
)
RUNNING = replace(NEW, status=JobStatus.PROCESSING, attempts=1, claims=1, worker_id="one")
RELIABILITY = Path(__file__).parents[3] / "docs" / "reliability.md"


def at(status: JobStatus, attempts: int = 1) -> JobRecord:
    """A record that is in this status by right."""
    fields = ending(status) if status.is_terminal else {"status": status}
    return replace(RUNNING, attempts=attempts, **fields)


@pytest.mark.parametrize(("before", "after", "change"), list(product((None, *JobStatus), JobStatus, (-2, -1, 0, 1, 2))))
def test_a_record_changes_as_the_table_says_and_in_no_other_way(
    before: JobStatus | None, after: JobStatus, change: int
) -> None:
    found = at(before, 2) if before else None
    wanted = at(after, (2 if before else 0) + change)
    allowed = [each for each in TRANSITIONS if (each.before, each.after) == (before, after) and change in each.attempts]
    if allowed:
        assert check(found, wanted) in allowed
    else:
        with pytest.raises(TransitionError, match="cannot go from"):
            check(found, wanted)


def test_nothing_follows_an_end() -> None:
    assert not [each for each in TRANSITIONS if each.before is not None and each.before.is_terminal]


@pytest.mark.parametrize(
    "fields",
    [
        {"status": JobStatus.COMPLETED},
        {"status": JobStatus.FAILED},
        {"status": JobStatus.CANCELLED, "error_message": "no such chord"},
        {"status": JobStatus.FAILED, "error_message": "no such chord", "audio": some_audio()},
        {"status": JobStatus.QUEUED, "audio": some_audio()},
        {"worker_id": "another"},
        {"claims": 0},
        {"job_id": "gen_000000000001"},
        {"recipe": replace(NEW.recipe, seed=1)},
        {"fingerprint": "another"},
    ],
)
def test_a_change_that_leaves_a_record_without_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(TransitionError):
        check(RUNNING, replace(RUNNING, **fields))


def test_another_worker_begins_another_attempt() -> None:
    assert check(RUNNING, replace(RUNNING, worker_id="another", attempts=2)).name == "take over"


def test_the_diagram_shows_the_table() -> None:
    text = RELIABILITY.read_text()
    drawn = set(re.findall(r"^ +(\S+) --> (\w+): (.+)$", text, re.MULTILINE))
    table = {(each.before.value if each.before else "[*]", each.after.value, each.name) for each in TRANSITIONS}
    assert {edge for edge in drawn if edge[1] in set(JobStatus)} == table
