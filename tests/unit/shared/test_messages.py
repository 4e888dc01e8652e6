"""Messages on the wire."""

import re
from datetime import UTC, datetime, timedelta
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.files import Audio, Output, OutputLink, audio_key, job_prefix, output_key
from shared.messages import (
    LIFECYCLE,
    TERMINAL,
    Event,
    EventType,
    Job,
    JobRecord,
    JobStatus,
    Recipe,
    Timings,
    encode,
    event_of,
    now,
)

JOB = "gen_abc123456789"

moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
numbers = st.floats(0, 1e6)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
counts = st.integers(0, 2**53)
audios = st.builds(Audio, key=texts, size=counts, duration=numbers, sha256=texts, sample_rate=counts, channels=counts)
files = st.builds(Output, kind=st.sampled_from(["midi", "stem"]), name=texts, key=texts, size=counts, sha256=texts)
recipes = st.builds(
    Recipe,
    model=st.from_regex(r"[a-z0-9-]{1,64}", fullmatch=True),
    prompt=texts,
    duration=st.floats(0.5, 600),
    temperature=numbers,
    seed=st.integers(0, 2**32 - 1),
    outputs=st.sampled_from([(), ("midi",), ("midi", "stems")]),
)
records = st.builds(
    JobRecord,
    job_id=st.just(JOB),
    recipe=recipes,
    created_at=moments,
    updated_at=moments,
    status=st.sampled_from(JobStatus),
    progress=numbers,
    message=texts,
    started_at=st.none() | moments,
    error_message=st.none() | texts,
    attempts=counts,
    audio=st.none() | audios,
    timings=st.none() | st.builds(Timings, generating=numbers, encoding=numbers, uploading=numbers),
    outputs=st.lists(files, max_size=3).map(tuple),
)

# As the first version wrote them, without the fields that were added later.
OLD_RECORD = b"""{"job_id": "gen_abc123456789", "recipe": {"model": "small", "prompt": "a", "duration": 8.0},
 "created_at": "2024-12-01T10:00:00Z", "updated_at": "2024-12-01T10:00:00Z"}"""
OLD_EVENT = b"""{"type": "queued", "job_id": "gen_abc123456789", "seq": 1, "status": "queued", "progress": 0.0,
 "message": "m", "at": "2024-12-01T10:00:00Z"}"""


def test_exactly_the_last_three_statuses_are_terminal() -> None:
    assert [status.value for status in JobStatus if status.is_terminal] == ["completed", "failed", "cancelled"]
    assert {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED} == TERMINAL


def test_lifecycle_events_are_the_statuses_without_progress() -> None:
    assert set(LIFECYCLE) == {status.value for status in JobStatus}
    assert set(get_args(EventType)) == {*LIFECYCLE, "progress"}


@given(records)
def test_a_record_survives_the_wire(record: JobRecord) -> None:
    assert msgspec.json.decode(msgspec.json.encode(record), type=JobRecord) == record


@given(records, counts)
def test_an_event_matches_its_record_and_survives_the_wire(record: JobRecord, revision: int) -> None:
    event = event_of(record, revision)
    assert msgspec.json.decode(msgspec.json.encode(event), type=Event) == event
    assert (event.type, event.job_id, event.seq) == (record.status.value, JOB, revision)
    assert (event.status, event.progress, event.message) == (record.status, record.progress, record.message)
    assert (event.at, event.attempts, event.error_message) == (
        record.updated_at,
        record.attempts,
        record.error_message,
    )


@given(records.filter(lambda record: record.audio is not None))
def test_an_event_of_a_job_with_audio_has_its_url_and_size(record: JobRecord) -> None:
    assert record.audio is not None
    event = event_of(record, 1)
    assert event.audio_url == f"/api/v1/download/{JOB}"
    assert (event.file_size, event.actual_duration) == (record.audio.size, record.audio.duration)


def test_an_event_links_each_output() -> None:
    output = Output(kind="midi", name="audio.mid", key="k", size=9, sha256="s")
    record = msgspec.structs.replace(msgspec.json.decode(OLD_RECORD, type=JobRecord), outputs=(output,))
    url = f"/api/v1/download/{JOB}/audio.mid"
    assert event_of(record, 1).outputs == (OutputLink(kind="midi", name="audio.mid", size=9, download_url=url),)


def test_a_record_lists_its_files_the_audio_first() -> None:
    record = msgspec.json.decode(OLD_RECORD, type=JobRecord)
    assert record.files == ()
    audio = Audio(key="a", size=1, duration=1.0, sample_rate=1, channels=1, sha256="s")
    output, extra = (Output(kind="midi", name=name, key=name, size=1, sha256="s") for name in "oe")
    full = msgspec.structs.replace(record, audio=audio, outputs=(output,), extras=(extra,))
    assert full.files == (audio, output, extra)


@given(records)
def test_a_progress_event_keeps_the_status(record: JobRecord) -> None:
    event = event_of(record, 1, "progress")
    assert (event.type, event.status) == ("progress", record.status)


def test_records_of_the_first_version_decode() -> None:
    record = msgspec.json.decode(OLD_RECORD, type=JobRecord)
    assert (record.status, record.attempts, record.audio) == (JobStatus.QUEUED, 0, None)
    assert (record.recipe.top_k, record.recipe.sample_format) == (250, "int16")
    assert (record.recipe.outputs, record.outputs) == ((), ())


def test_events_of_the_first_version_decode() -> None:
    event = msgspec.json.decode(OLD_EVENT, type=Event)
    assert (event.file_size, event.outputs) == (None, ())


@pytest.mark.parametrize(("data", "kind"), [(OLD_RECORD, JobRecord), (OLD_EVENT, Event)])
def test_fields_of_a_later_version_are_ignored(data: bytes, kind: type[JobRecord | Event]) -> None:
    newer = data[:-1] + b', "colour": {"red": [1]}}'
    assert msgspec.json.decode(newer, type=kind) == msgspec.json.decode(data, type=kind)


def test_a_job_needs_nothing_but_its_id_recipe_and_time() -> None:
    job = Job(job_id=JOB, recipe=Recipe(model="small", prompt="a", duration=8.0), created_at=now())
    assert msgspec.json.decode(msgspec.json.encode(job), type=Job) == job


@pytest.mark.parametrize(
    ("microsecond", "written"), [(0, ".000Z"), (5_000, ".005Z"), (120_000, ".120Z"), (999_000, ".999Z"), (1, ".000Z")]
)
def test_times_have_exactly_three_decimals(microsecond: int, written: str) -> None:
    moment = datetime(2024, 12, 1, 10, 0, 0, microsecond, UTC)
    job = Job(job_id=JOB, recipe=Recipe(model="small", prompt="a", duration=8.0), created_at=moment)
    assert f'"created_at":"2024-12-01T10:00:00{written}"'.encode() in encode(job)
    whole = JobRecord(job_id=JOB, recipe=job.recipe, created_at=moment, updated_at=moment, started_at=moment)
    for message in (whole, event_of(whole, 1), [whole, {"nested": whole}]):
        times = re.findall(rb"T10:00:00([^\"]*)\"", encode(message))
        assert times
        assert set(times) == {written.encode()}


@given(st.text())
def test_text_that_looks_like_a_time_is_unchanged(text: str) -> None:
    prompt = f'"created_at":"2024-12-01T10:00:00.123456Z"{text}'
    recipe = Recipe(model="small", prompt=prompt, duration=8.0)
    assert msgspec.json.decode(encode(recipe), type=Recipe) == recipe


@pytest.mark.parametrize("written", ["10:00:00Z", "10:00:00.5Z", "10:00:00.500Z", "10:00:00.500000Z"])
def test_times_with_any_number_of_decimals_are_read(written: str) -> None:
    data = encode(
        JobRecord(
            job_id=JOB, recipe=Recipe(model="small", prompt="a", duration=8.0), created_at=now(), updated_at=now()
        )
    )
    old = re.sub(rb'"created_at":"[^"]*"', f'"created_at":"2024-12-01T{written}"'.encode(), data)
    read = msgspec.json.decode(old, type=JobRecord)
    assert read.created_at.replace(microsecond=0) == datetime(2024, 12, 1, 10, tzinfo=UTC)
    assert msgspec.json.decode(encode(read), type=JobRecord) == read


def test_now_is_utc_to_the_millisecond() -> None:
    moment = now()
    assert moment.utcoffset() == timedelta(0)
    assert moment.microsecond % 1000 == 0
    assert abs(datetime.now(UTC) - moment) < timedelta(seconds=5)


def test_object_keys_start_with_the_prefix_of_their_job() -> None:
    assert audio_key(JOB) == "jobs/gen_abc123456789/audio.wav"
    assert audio_key(JOB).startswith(job_prefix(JOB))
    assert output_key(JOB, "bass.wav") == "jobs/gen_abc123456789/bass.wav"
    assert job_prefix(JOB).endswith("/")
