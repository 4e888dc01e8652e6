"""Streams, consumer and bucket: created if missing, checked if present, never changed."""

import asyncio

import pytest
from nats.js.api import RetentionPolicy, StreamConfig

from shared import subjects
from shared.errors import TopologyError, UnavailableError
from shared.records import Records
from shared.topology import AUDIO, EVENTS, JOBS, ensure_consumer, ensure_streams
from tests.integration.system import System


async def test_the_topology_is_created_once(system: System) -> None:
    js = (await system.nats()).jetstream()
    for _ in range(2):
        await ensure_streams(js)
        await ensure_consumer(js, "small")
    jobs = (await js.stream_info(subjects.JOBS_STREAM)).config
    assert (jobs.subjects, jobs.retention) == (["music.jobs.*.*"], RetentionPolicy.WORK_QUEUE)
    consumer = (await js.consumer_info(subjects.JOBS_STREAM, "worker-small")).config
    assert (consumer.filter_subject, consumer.ack_wait) == ("music.jobs.small.normal", 30.0)
    assert (await js.stream_info(subjects.EVENTS_STREAM)).config.max_age == 24 * 3600


async def test_all_parts_may_create_the_topology_at_once(system: System) -> None:
    """As after a restart of NATS, which loses the in-memory stream; memory has no room for a second one."""
    streams = [(await system.nats()).jetstream() for _ in range(6)]
    for _ in range(10):
        await asyncio.gather(*(ensure_streams(js) for js in streams))
        assert (await streams[0].stream_info(subjects.AUDIO_STREAM)).config.max_bytes == AUDIO.max_bytes
        await streams[0].delete_stream(subjects.AUDIO_STREAM)


async def test_a_mismatched_stream_is_reported_and_left_alone(system: System) -> None:
    js = (await system.nats()).jetstream()
    await js.add_stream(StreamConfig(name=JOBS.name, subjects=JOBS.subjects, retention=RetentionPolicy.LIMITS))
    with pytest.raises(TopologyError, match=r"MUSIC_JOBS exists with retention = limits, .* needs workqueue"):
        await ensure_streams(js)
    assert (await js.stream_info(subjects.JOBS_STREAM)).config.retention == RetentionPolicy.LIMITS


async def test_an_operator_may_change_limits(system: System) -> None:
    js = (await system.nats()).jetstream()
    await ensure_streams(js)
    await js.update_stream(EVENTS.evolve(max_age=3600))
    await js.update_stream(JOBS.evolve(max_msgs=5))
    await ensure_streams(js)
    assert (await js.stream_info(subjects.EVENTS_STREAM)).config.max_age == 3600


async def test_replicas_without_a_cluster_are_an_error(system: System) -> None:
    js = (await system.nats()).jetstream()
    with pytest.raises(TopologyError, match=r"not part of a cluster\. Set NATS_REPLICAS to 1"):
        await ensure_streams(js, 3)


async def test_a_missing_bucket_is_not_a_missing_record(system: System) -> None:
    js = (await system.nats()).jetstream()
    records = Records(await ensure_streams(js))
    assert await records.get("gen_000000000000") is None
    await js.delete_stream(f"KV_{subjects.JOBS_BUCKET}")
    with pytest.raises(UnavailableError, match="the bucket is not there"):
        await records.get("gen_000000000000")


async def test_records_are_read_from_the_leader(system: System) -> None:
    """Direct reads may reach a lagging replica; with them disabled, reads must still work."""
    js = (await system.nats()).jetstream()
    bucket = await ensure_streams(js)
    config = (await js.stream_info(f"KV_{subjects.JOBS_BUCKET}")).config
    await js.update_stream(config.evolve(allow_direct=False))
    assert await Records(bucket).get("gen_000000000000") is None
