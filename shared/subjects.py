"""Names on NATS: streams, subjects, consumers and headers. Other programs rely on them."""

import re

from shared.lanes import NORMAL

JOBS_STREAM = "MUSIC_JOBS"
EVENTS_STREAM = "MUSIC_EVENTS"
AUDIO_STREAM = "MUSIC_AUDIO"
JOBS_BUCKET = "music_jobs"
TURNS_BUCKET = "music_turns"
QUOTAS_BUCKET = "music_quotas"
WEBHOOKS_BUCKET = "music_webhooks"
# The durable consumer of the events, for webhooks.
WEBHOOKS_CONSUMER = "webhooks"

ALL_JOBS = "music.jobs.*.*"
ALL_EVENTS = "music.events.>"
ALL_AUDIO = "music.audio.*"
ALL_CANCELS = "music.cancel.*"
ALL_WORKERS = "music.workers.*"
# JetStream advisories about job messages that will not be redelivered.
DEAD_LETTERS = tuple(
    f"$JS.EVENT.ADVISORY.CONSUMER.{kind}.{JOBS_STREAM}.*" for kind in ("MAX_DELIVERIES", "MSG_TERMINATED")
)

MSG_ID = "Nats-Msg-Id"
EXPECTED_LAST = "Nats-Expected-Last-Subject-Sequence"
TRACEPARENT = "traceparent"

# What a consumer's name may hold; subjects may hold other characters.
_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)


def job_subject(model: str, lane: str = NORMAL) -> str:
    """Where a job for `model` is published."""
    return f"music.jobs.{model}.{lane}"


def model_jobs(model: str) -> str:
    """Every lane of one model."""
    return f"music.jobs.{model}.*"


def lane_of(job_subject: str) -> str | None:
    """The lane of a job's subject; None if no consumer can have its name."""
    lane = job_subject.rsplit(".", 1)[-1]
    return lane if _NAME.fullmatch(lane) else None


def model_of(job_subject: str) -> str | None:
    """The model of a job's subject; None if no consumer can have its name."""
    model = job_subject.split(".")[2]
    return model if _NAME.fullmatch(model) else None


def consumer_name(model: str, lane: str = NORMAL) -> str:
    """The durable pull consumer of a lane, which all workers of the model share. No model has an underscore."""
    return f"worker-{model}" if lane == NORMAL else f"worker-{model}_{lane}"


def next_message_subject(consumer: str) -> str:
    """Where a message of a consumer of the jobs is requested."""
    return f"$JS.API.CONSUMER.MSG.NEXT.{JOBS_STREAM}.{consumer}"


def event_subject(job_id: str, kind: str) -> str:
    """Where an event of `job_id` is published."""
    return f"music.events.{job_id}.{kind}"


def lifecycle_subjects() -> list[str]:
    """The events of every job, without its progress."""
    return [event_subject("*", kind) for kind in ("queued", "processing", "completed", "failed", "cancelled")]


def record_subject(job_id: str) -> str:
    """Where the bucket of records keeps that of `job_id`."""
    return f"$KV.{JOBS_BUCKET}.{job_id}"


def audio_subject(job_id: str) -> str:
    """Where the audio of `job_id` is published while it is generated."""
    return f"music.audio.{job_id}"


def cancel_subject(job_id: str) -> str:
    """Where a request to cancel `job_id` is published."""
    return f"music.cancel.{job_id}"


def state_subject(role: str, service_id: str) -> str:
    """Where a gateway or worker answers requests for its state."""
    return f"music.state.{role}.{service_id}"


def drain_subject(worker_id: str) -> str:
    """Where a worker takes an operator's `DrainRequest`; it answers with its `WorkerInfo`."""
    return f"music.drain.{worker_id}"


def worker_subject(worker_id: str) -> str:
    """Where a worker announces itself."""
    return f"music.workers.{worker_id}"
