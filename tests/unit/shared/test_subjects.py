"""Names on NATS, which other programs rely on."""

from fnmatch import fnmatchcase

import pytest

from shared import subjects
from shared.lanes import PRIORITIES, SHARES, lane_name
from shared.topology import consumer_config

JOB = "gen_abc123456789"


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (subjects.job_subject("small"), "music.jobs.small.normal"),
        (subjects.model_jobs("small"), "music.jobs.small.*"),
        (subjects.consumer_name("stereo-small"), "worker-stereo-small"),
        (subjects.event_subject(JOB, "queued"), f"music.events.{JOB}.queued"),
        (subjects.audio_subject(JOB), f"music.audio.{JOB}"),
        (subjects.cancel_subject(JOB), f"music.cancel.{JOB}"),
        (subjects.worker_subject("w1"), "music.workers.w1"),
        (subjects.JOBS_STREAM, "MUSIC_JOBS"),
        (subjects.EVENTS_STREAM, "MUSIC_EVENTS"),
        (subjects.AUDIO_STREAM, "MUSIC_AUDIO"),
        (subjects.JOBS_BUCKET, "music_jobs"),
        (subjects.MSG_ID, "Nats-Msg-Id"),
    ],
)
def test_names_on_nats_match_the_contract(subject: str, name: str) -> None:
    assert subject == name


@pytest.mark.parametrize(
    ("subject", "pattern"),
    [
        (subjects.job_subject("small"), subjects.ALL_JOBS),
        ("music.jobs.small.high", subjects.model_jobs("small")),
        (subjects.event_subject(JOB, "progress"), subjects.ALL_EVENTS),
        (subjects.audio_subject(JOB), subjects.ALL_AUDIO),
        (subjects.cancel_subject(JOB), subjects.ALL_CANCELS),
        (subjects.worker_subject("w1"), subjects.ALL_WORKERS),
    ],
)
def test_wildcards_match_every_subject_of_their_kind(subject: str, pattern: str) -> None:
    assert fnmatchcase(subject, pattern.replace(">", "*"))


def test_models_share_no_consumer() -> None:
    small, stereo = consumer_config("small"), consumer_config("stereo-small")
    assert small.durable_name != stereo.durable_name
    assert small.filter_subject == "music.jobs.small.normal"
    assert stereo.filter_subject == "music.jobs.stereo-small.normal"


def test_lanes_share_no_consumer() -> None:
    lanes = [lane_name(priority, share) for priority in PRIORITIES for share in (None, *range(SHARES))]
    # A checkpoint in a folder may have any of these names.
    models = ["small", "small-batch", "small-batch-1"]
    names = {subjects.consumer_name(model, lane) for model in models for lane in lanes}
    assert len(names) == len(models) * len(lanes)
    assert {subjects.lane_of(subjects.job_subject("small", lane)) for lane in lanes} == set(lanes)


@pytest.mark.parametrize("subject", ["music.jobs.small.a b", "music.jobs.small.*", "music.jobs.small.é"])
def test_a_lane_that_no_consumer_can_have_is_none(subject: str) -> None:
    assert subjects.lane_of(subject) is None
