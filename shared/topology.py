"""Streams, consumers and buckets on NATS: created if missing, checked if present, never changed.

The check covers settings that define their behaviour. Operators may change limits (`max_msgs`, `max_bytes`, `max_age`,
replicas) with the nats CLI. `NATS_REPLICAS` applies only at creation.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from nats.js import JetStreamContext
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DeliverPolicy,
    DiscardPolicy,
    KeyValueConfig,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError, NotFoundError
from nats.js.kv import KeyValue

from shared import subjects
from shared.errors import TopologyError, UnavailableError
from shared.lanes import NORMAL

HOUR = 3600.0
DAY = 24 * HOUR
# Longer than audio is kept by default, so that the recipe outlives the audio.
RECORD_TTL = 14 * DAY
# At this number of records no further job is accepted: each gateway has a copy on disk, of up to 4 KB a record.
MAX_RECORDS = 250_000

# Seconds of a worker's turn at retention, and so between two passes.
RETENTION_TURN_TTL = 300.0

# Seconds after which an unacknowledged job is redelivered; its worker extends that every HEARTBEAT seconds.
ACK_WAIT = 30.0
HEARTBEAT = 8.0

# Seconds for which the deliveries of a job's webhooks are kept after their last change.
WEBHOOKS_TTL = 3 * DAY
# Seconds after which an event is given to another gateway, because the first one died.
WEBHOOK_ACK_WAIT = 10.0

# JetStream's error codes for a server or account without free memory or disk.
NO_ROOM = frozenset({10002, 10028, 10047})
# … for more replicas than there are servers, and for replicas on a server that is not clustered.
NO_PEERS = 10005
NOT_CLUSTERED = 10074
# … for a stream that exists with another configuration.
NAME_IN_USE = 10058
# Attempts, and seconds between them, to find a stream that another process may be creating.
LOOKS = 10
LOOK_INTERVAL = 0.1

JOBS = StreamConfig(
    name=subjects.JOBS_STREAM,
    description="Generation jobs, until a worker has finished them",
    subjects=[subjects.ALL_JOBS],
    retention=RetentionPolicy.WORK_QUEUE,
    storage=StorageType.FILE,
    discard=DiscardPolicy.NEW,  # a full queue is an error for the publisher, not the loss of an old job
    max_msgs=1000,
    duplicate_window=HOUR,
)
EVENTS = StreamConfig(
    name=subjects.EVENTS_STREAM,
    description="What happened to jobs; kept a day for clients that come back",
    subjects=[subjects.ALL_EVENTS],
    retention=RetentionPolicy.LIMITS,
    storage=StorageType.FILE,
    discard=DiscardPolicy.OLD,
    max_age=DAY,
    max_bytes=512 * 1024 * 1024,
    duplicate_window=120.0,
    allow_direct=True,
)
# In memory, because the stored file has the same audio. Kept long enough to hear a job from its start.
AUDIO = StreamConfig(
    name=subjects.AUDIO_STREAM,
    description="Audio while it is generated; kept a quarter of an hour for late listeners",
    subjects=[subjects.ALL_AUDIO],
    retention=RetentionPolicy.LIMITS,
    storage=StorageType.MEMORY,
    discard=DiscardPolicy.OLD,
    max_age=HOUR / 4,
    max_bytes=256 * 1024 * 1024,  # NATS reserves it, so max_memory_store in nats.conf must be larger
    duplicate_window=120.0,
)
# History 1 and a bucket-wide TTL: a per-key TTL would be dropped by the next update.
RECORDS = KeyValueConfig(
    bucket=subjects.JOBS_BUCKET,
    description="One record a job",
    history=1,
    ttl=RECORD_TTL,
    storage=StorageType.FILE,
    direct=True,
)
# A worker takes its turn at retention by creating a key, which the broker expires. So no worker's clock matters, and
# a worker that dies does not block the next one.
RETENTION_TURNS = KeyValueConfig(
    bucket=subjects.TURNS_BUCKET,
    description="Which worker runs retention",
    history=1,
    ttl=RETENTION_TURN_TTL,
    storage=StorageType.MEMORY,
)
# One entry per API key: recently admitted jobs, which other gateways' indexes may not have yet.
QUOTAS = KeyValueConfig(
    bucket=subjects.QUOTAS_BUCKET,
    description="Recently admitted jobs by the name of their API key",
    history=1,
    ttl=60.0,
    storage=StorageType.MEMORY,
)

# The deliveries of a job's webhooks. They outlive the last attempt, so that it can be seen and repeated.
WEBHOOKS = KeyValueConfig(
    bucket=subjects.WEBHOOKS_BUCKET,
    description="Deliveries of webhooks by job",
    history=1,
    ttl=WEBHOOKS_TTL,
    storage=StorageType.FILE,
)


def webhook_consumer() -> ConsumerConfig:
    """The durable consumer that all gateways share. One event at a time keeps the order of a job's events."""
    return ConsumerConfig(
        durable_name=subjects.WEBHOOKS_CONSUMER,
        description="Events that become webhooks",
        filter_subjects=subjects.lifecycle_subjects(),
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=WEBHOOK_ACK_WAIT,
        max_deliver=-1,
        max_ack_pending=1,
    )


def consumer_config(model: str, lane: str = NORMAL) -> ConsumerConfig:
    """The durable pull consumer of one lane of a model.

    `max_deliver` is unlimited, because a graceful stop of a worker also counts as a delivery. Attempts are counted in
    the record.
    """
    return ConsumerConfig(
        durable_name=subjects.consumer_name(model, lane),
        description=f"Workers of {model}, {lane} jobs",
        filter_subject=subjects.job_subject(model, lane),
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT,
        max_deliver=-1,
        max_ack_pending=10_000,
    )


async def ensure_streams(js: JetStreamContext, replicas: int = 1) -> KeyValue:
    """Create or check the three streams and the bucket; returns the bucket.

    Raises:
        TopologyError: if one exists with an incompatible configuration, or NATS has no room for it.
        UnavailableError: if too few servers of the cluster are up for the replicas of a new one.
    """
    for config in (JOBS, EVENTS, AUDIO):
        await _ensure_stream(js, config.evolve(num_replicas=replicas))
    return await _ensure_bucket(js, RECORDS.evolve(replicas=replicas))


async def ensure_retention_turns(js: JetStreamContext, replicas: int = 1) -> KeyValue:
    """The bucket of turns at retention, created if it is missing. Raises: UnavailableError, TopologyError."""
    return await _ensure_bucket(js, RETENTION_TURNS.evolve(replicas=replicas))


async def ensure_quotas(js: JetStreamContext, replicas: int = 1) -> KeyValue:
    """The bucket of admitted jobs, created if missing. Raises: UnavailableError, TopologyError."""
    return await _ensure_bucket(js, QUOTAS.evolve(replicas=replicas))


async def ensure_webhooks(js: JetStreamContext, replicas: int = 1) -> KeyValue:
    """The bucket of deliveries, created if missing. Raises: UnavailableError, TopologyError."""
    return await _ensure_bucket(js, WEBHOOKS.evolve(replicas=replicas))


async def ensure_webhook_consumer(js: JetStreamContext) -> None:
    """Create the consumer of events for webhooks if it is missing."""
    try:
        await js.consumer_info(subjects.EVENTS_STREAM, subjects.WEBHOOKS_CONSUMER)
    except NotFoundError:
        await js.add_consumer(subjects.EVENTS_STREAM, webhook_consumer())


async def _ensure_bucket(js: JetStreamContext, wanted: KeyValueConfig) -> KeyValue:
    stream = f"KV_{wanted.bucket}"
    try:
        history = (await js.stream_info(stream)).config.max_msgs_per_subject
    except NotFoundError:
        await _create(js, stream, js.add_stream(_bucket_stream(wanted)))
    else:
        if history != wanted.history:
            raise TopologyError(_complaint("bucket", wanted.bucket, "history", history, wanted.history, "kv"))
    return bucket_at(js, wanted.bucket)


def _bucket_stream(bucket: KeyValueConfig) -> StreamConfig:
    """The stream of a bucket, as NATS clients make it; nats-py's own call cannot allow atomic batches."""
    return StreamConfig(
        name=f"KV_{bucket.bucket}",
        description=bucket.description,
        subjects=[f"$KV.{bucket.bucket}.>"],
        storage=bucket.storage,
        discard=DiscardPolicy.NEW,
        max_age=bucket.ttl,
        max_msgs_per_subject=bucket.history,
        duplicate_window=min(bucket.ttl or 120.0, 120.0),
        num_replicas=bucket.replicas,
        allow_direct=bucket.direct,
        allow_rollup_hdrs=True,
        allow_msg_ttl=True,
        allow_atomic=True,
        deny_delete=True,
    )


async def allow_batches(js: JetStreamContext) -> None:
    """Let the bucket of records accept atomic batches, if an earlier version made it. Only an operator may do so."""
    with suppress(NotFoundError):
        config = (await js.stream_info(f"KV_{RECORDS.bucket}")).config
        if not config.allow_atomic:
            await js.update_stream(config.evolve(allow_atomic=True))


def bucket_at(js: JetStreamContext, name: str) -> KeyValue:
    """An existing bucket.

    It is read from the stream's leader even where direct reads are allowed: in a cluster any replica answers those, and
    one that lags would report a new record as missing.
    """
    return KeyValue(name=name, stream=f"KV_{name}", pre=f"$KV.{name}.", js=js, direct=False)


async def _ensure_stream(js: JetStreamContext, wanted: StreamConfig) -> None:
    try:
        info = await js.stream_info(str(wanted.name))
    except NotFoundError:
        await _create(js, str(wanted.name), js.add_stream(wanted))
        return
    checked = ("subjects", "retention", "storage", "discard", "duplicate_window")
    _compare("stream", str(wanted.name), info.config, wanted, checked)


async def _create(js: JetStreamContext, stream: str, creation: Awaitable[object]) -> None:
    try:
        await creation
    except APIError as error:
        if error.err_code == NO_PEERS:
            raise UnavailableError(f"NATS cannot make the stream {stream} yet: {error.description}") from error
        if error.err_code == NOT_CLUSTERED:
            raise TopologyError(
                f"NATS cannot make the stream {stream} with replicas: the server is not part of a cluster. "
                "Set NATS_REPLICAS to 1, or start the servers as a cluster."
            ) from error
        if error.err_code not in (NAME_IN_USE, *NO_ROOM):
            raise
        # Another process may be creating it: its space is reserved before it can be found.
        if await _appears(js, stream):
            return
        raise TopologyError(
            f"NATS has no room for the stream {stream}: {error.description}. "
            "Raise max_memory_store or max_file_store in its configuration to what nats.conf has, and reload it."
        ) from error


async def _appears(js: JetStreamContext, name: str) -> bool:
    for _ in range(LOOKS):
        with suppress(NotFoundError):
            await js.stream_info(name)
            return True
        await asyncio.sleep(LOOK_INTERVAL)
    return False


async def ensure_consumer(js: JetStreamContext, model: str, lane: str = NORMAL) -> None:
    """Create or check the consumer of a lane of `model`. That of an earlier version, which had all lanes, is narrowed.

    Raises:
        TopologyError: if it exists with an incompatible configuration.
    """
    wanted = consumer_config(model, lane)
    name = str(wanted.durable_name)
    try:
        info = await js.consumer_info(subjects.JOBS_STREAM, name)
    except NotFoundError:
        await js.add_consumer(subjects.JOBS_STREAM, wanted)
        return
    if info.config.filter_subject == subjects.model_jobs(model):
        await js.add_consumer(subjects.JOBS_STREAM, wanted)  # changes it
        return
    checked = ("filter_subject", "deliver_policy", "ack_policy", "ack_wait", "max_deliver", "backoff")
    _compare("consumer", name, info.config, wanted, checked)


def _compare(kind: str, name: str, found: Any, wanted: Any, fields: tuple[str, ...]) -> None:
    for field in fields:
        there, needed = getattr(found, field), getattr(wanted, field)
        if there != needed:
            raise TopologyError(_complaint(kind, name, field, there, needed, kind))


def _complaint(kind: str, name: str, field: str, found: object, wanted: object, command: str) -> str:
    return (
        f"NATS {kind} {name} exists with {field} = {_text(found)}, but this version needs {_text(wanted)}. "
        f"It was left as it is. Change it with `nats {command} edit {name}`, or, once its jobs are done, "
        f"remove it with `nats {command} rm` and start again."
    )


def _text(value: object) -> str:
    return str(getattr(value, "value", value))
