"""The table of transitions: it allows the listed changes and rejects all others."""

import re
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from shared.errors import TransitionError
from shared.files import Output
from shared.messages import JobRecord, JobStatus, Recipe, now
from shared.transition_checks import check
from shared.transitions import TRANSITIONS, file_lost
from tests.records import ending, some_audio

NEW = JobRecord(
    job_id="gen_000000000000",
    recipe=Recipe(model="starter", prompt="tone", duration=1.0),
    created_at=now(),
    updated_at=now(),
)
RUNNING = replace(NEW, status=JobStatus.PROCESSING, attempts=1, claims=1, worker_id="one")
FOLLOWING = replace(NEW, is_follower=True)
LATER = now() + timedelta(days=6)
RELIABILITY = Path(__file__).parents[3] / "docs" / "reliability.md"


def at(status: JobStatus, attempts: int = 1) -> JobRecord:
    """A valid record in this status."""
    fields = ending(status) if status.is_terminal else {"status": status}
    return replace(RUNNING, attempts=attempts, **fields)


def way(before: JobStatus | None, after: JobStatus) -> tuple[dict[str, Any], dict[str, Any]]:
    """Further fields of two records that their transition requires."""
    if before is JobStatus.QUEUED and after in (JobStatus.QUEUED, JobStatus.COMPLETED):
        answered = {"source": "gen_000000000001"} if after is JobStatus.COMPLETED else {}
        return {"is_follower": True}, answered
    if before is after and before in (JobStatus.COMPLETED, JobStatus.CANCELLED):
        same = {"audio": some_audio(), "completed_at": NEW.created_at}
        return same, {**same, "seq": 7}
    return {}, {}


@pytest.mark.parametrize(("before", "after", "change"), list(product((None, *JobStatus), JobStatus, (-2, -1, 0, 1, 2))))
def test_only_changes_in_the_table_are_allowed(before: JobStatus | None, after: JobStatus, change: int) -> None:
    first, then = way(before, after)
    found = replace(at(before, 2), **first) if before else None
    wanted = replace(at(after, (2 if before else 0) + change), **then)
    allowed = [each for each in TRANSITIONS if (each.before, each.after) == (before, after) and change in each.attempts]
    if allowed:
        assert check(found, wanted) in allowed
    else:
        with pytest.raises(TransitionError, match="cannot go from"):
            check(found, wanted)


def test_a_terminal_status_never_changes() -> None:
    later = [each for each in TRANSITIONS if each.before is not None and each.before.is_terminal]
    assert all(each.after is each.before and each.attempts == (0,) for each in later)


DONE = at(JobStatus.COMPLETED)
RENEWED = replace(DONE, seq=7, updated_at=now())
EXPIRED = replace(RENEWED, expired_at=now(), message="The audio has expired")
MIDI = Output(kind="midi", name="audio.mid", key="jobs/gen_000000000000/audio.mid", size=1, sha256="0" * 64)
SCORED = replace(RENEWED, outputs=(MIDI,))
MIDI_LOST = file_lost(SCORED, 7, MIDI)
AUDIO_LOST = file_lost(MIDI_LOST, 8, some_audio())


def test_audio_of_a_finished_job_is_used_and_expires() -> None:
    for before, after in [(DONE, RENEWED), (RENEWED, replace(RENEWED, updated_at=now())), (RENEWED, EXPIRED)]:
        assert check(before, after).name == "renew, expire, lose"


def test_a_job_loses_a_file_and_then_its_audio() -> None:
    for before, after in [(SCORED, MIDI_LOST), (MIDI_LOST, AUDIO_LOST), (DONE, file_lost(DONE, 7, some_audio()))]:
        assert check(before, after).name == "renew, expire, lose"
    assert MIDI_LOST.has_audio
    assert not MIDI_LOST.can_be_shared
    assert not AUDIO_LOST.has_audio


@pytest.mark.parametrize("queued", [NEW, FOLLOWING])
def test_the_record_of_a_queued_job_is_renewed(queued: JobRecord) -> None:
    assert check(queued, replace(queued, updated_at=LATER)).name == "promote, renew"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (RUNNING, replace(DONE, lost=(MIDI.key,))),
        (RENEWED, replace(RENEWED, lost=(MIDI.key,))),
        (SCORED, replace(SCORED, lost=(some_audio().key,))),
        (MIDI_LOST, replace(MIDI_LOST, lost=())),
        (MIDI_LOST, replace(MIDI_LOST, lost=(MIDI.key, MIDI.key))),
        (AUDIO_LOST, replace(AUDIO_LOST, expired_at=None)),
        (replace(SCORED, source="gen_000000000001"), replace(MIDI_LOST, source="gen_000000000001")),
        (DONE, replace(DONE, updated_at=now())),
        (DONE, replace(RENEWED, message="all new")),
        (DONE, replace(RENEWED, outputs=(), audio=some_audio("gen_000000000001"))),
        (RENEWED, replace(RENEWED, seq=8)),
        (EXPIRED, RENEWED),
        (EXPIRED, replace(EXPIRED, updated_at=now())),
        (at(JobStatus.CANCELLED), replace(at(JobStatus.CANCELLED), seq=7)),
        (at(JobStatus.FAILED), replace(at(JobStatus.FAILED), seq=7)),
        (RUNNING, replace(DONE, seq=7)),
        (RUNNING, replace(DONE, expired_at=now())),
        (RUNNING, replace(DONE, source="gen_000000000001")),
        (RUNNING, replace(RUNNING, is_follower=True)),
        (RUNNING, replace(NEW, claims=1, is_follower=True)),
        (None, replace(NEW, source="gen_000000000001")),
        (NEW, NEW),
        (NEW, replace(NEW, updated_at=LATER, message="all new")),
        (NEW, FOLLOWING),
        (FOLLOWING, FOLLOWING),
        (FOLLOWING, replace(FOLLOWING, source="gen_000000000001")),
        (FOLLOWING, replace(FOLLOWING, status=JobStatus.CANCELLED)),
        (FOLLOWING, RUNNING),
        (FOLLOWING, replace(DONE, attempts=0, claims=0)),
        (NEW, replace(DONE, attempts=0, claims=0, source="gen_000000000001")),
    ],
)
def test_followers_and_finished_jobs_change_only_as_allowed(before: JobRecord | None, after: JobRecord) -> None:
    with pytest.raises(TransitionError):
        check(before, after)


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
def test_changes_to_an_unsound_record_are_rejected(fields: dict[str, Any]) -> None:
    with pytest.raises(TransitionError):
        check(RUNNING, replace(RUNNING, **fields))


def test_another_worker_starts_another_attempt() -> None:
    assert check(RUNNING, replace(RUNNING, worker_id="another", attempts=2)).name == "take over"


def test_the_diagram_shows_the_table() -> None:
    text = RELIABILITY.read_text()
    drawn = set(re.findall(r"^ +(\S+) --> (\w+): (.+)$", text, re.MULTILINE))
    table = {(each.before.value if each.before else "[*]", each.after.value, each.name) for each in TRANSITIONS}
    assert {edge for edge in drawn if edge[1] in set(JobStatus)} == table
