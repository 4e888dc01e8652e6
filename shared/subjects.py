"""Names on NATS: streams, subjects, consumers and headers. Other programs rely on them."""

JOBS_STREAM = "MUSIC_JOBS"
EVENTS_STREAM = "MUSIC_EVENTS"
AUDIO_STREAM = "MUSIC_AUDIO"
JOBS_BUCKET = "music_jobs"
TURNS_BUCKET = "music_turns"
QUOTAS_BUCKET = "music_quotas"

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


def job_subject(model: str) -> str:
    """Where a job for `model` is published. The last token is its priority, of which there is one so far."""
    return f"music.jobs.{model}.normal"


def model_jobs(model: str) -> str:
    """Every priority of one model: the filter of its consumer."""
    return f"music.jobs.{model}.*"


def consumer_name(model: str) -> str:
    """The durable pull consumer that all workers of one model share."""
    return f"worker-{model}"


def event_subject(job_id: str, kind: str) -> str:
    """Where an event of `job_id` is published."""
    return f"music.events.{job_id}.{kind}"


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


def worker_subject(worker_id: str) -> str:
    """Where a worker announces itself."""
    return f"music.workers.{worker_id}"
