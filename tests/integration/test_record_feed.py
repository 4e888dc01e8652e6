"""The feed of the records bucket on a real broker with the shipped nats.conf: read, followed and resumed."""

import time
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.index.job_index import JobIndex
from shared.job_id import new_job_id
from shared.messages import JobStatus, now
from shared.record_feed import STREAM, Batch, read_feed, read_records
from shared.records import NO_RECORD, Entry, encode_record
from shared.subjects import JOBS_BUCKET
from shared.topology import ensure_streams
from tests.integration.jobs import plant_finished
from tests.integration.system import Api, System, eventually, running_gateway
from tests.records import fill, finished
from tests.servers import Server

# 40 MB: more than the 16 MB that the broker holds for a client, and than the 32 MB that a push may have in flight.
MANY = 30_000


@pytest.mark.timeout(600)
async def test_a_busy_gateway_follows_40_mb_of_changing_records(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its event loop stands still now and then, as on a machine with too much to do."""
    await fill(await system.nats(), MANY)
    take, batches = JobIndex._apply_batch, 0

    def take_slowly(index: JobIndex, batch: Batch) -> None:
        nonlocal batches
        batches += 1
        if batches in (10, 20, 30):
            time.sleep(1.5)
        take(index, batch)

    monkeypatch.setattr(JobIndex, "_apply_batch", take_slowly)
    api = await system.gateway()
    assert batches > 30
    assert api.services.index.count(JobStatus.COMPLETED) == MANY
    assert api.services.bus.client.stats["reconnects"] == 0
    # Every record changes at once while the gateway follows.
    batches = 0
    await fill(await system.nats(), MANY)
    new = await plant_finished(system)
    await eventually(lambda: _knows(api, new), "the gateway takes in every change", timeout=400)
    assert api.services.bus.client.stats["reconnects"] == 0


async def test_a_worker_reads_every_record_once(system: System) -> None:
    jobs = await fill(await system.nats(), 3_000)
    client = await system.nats("worker")
    assert [entry.record.job_id async for (entry, _) in read_records(client)] == jobs


async def test_the_time_of_a_record_is_the_broker_time(system: System) -> None:
    await plant_finished(system, updated_at=now() - timedelta(days=9))
    client = await system.nats("worker")
    ((_, changed_at),) = [each async for each in read_records(client)]
    assert abs(changed_at - now()) < timedelta(minutes=5)


async def test_an_empty_bucket_is_read_at_once(system: System) -> None:
    client = await system.nats()
    await ensure_streams(client.jetstream())
    async with aclosing(read_feed(client)) as feed:
        assert await anext(feed) == Batch([], 0)
    assert [each async for each in read_records(client)] == []


async def test_a_closed_feed_leaves_no_consumer(system: System) -> None:
    client = await system.nats()
    await fill(client, 3)
    assert len([each async for each in read_records(client)]) == 3
    assert (await client.jetstream().stream_info(STREAM)).state.consumer_count == 0


async def test_the_feed_survives_deletion_of_its_consumer(system: System) -> None:
    api, js = await system.gateway(), (await system.nats()).jetstream()
    (consumer,) = await js.consumers_info(STREAM)
    await js.delete_consumer(STREAM, consumer.name)
    job_id = await plant_finished(system)
    await eventually(lambda: _knows(api, job_id), "the gateway follows again")


async def test_after_a_reconnect_only_changes_are_read(
    isolated: System, nats_process: tuple[Server, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = await fill(await isolated.nats(), 50)
    api, server = await isolated.gateway(), nats_process[0]
    read: list[str] = []
    take = api.services.index._apply_batch

    def note(batch: Batch) -> None:
        read.extend(change.key for change in batch.changes)
        take(batch)

    monkeypatch.setattr(api.services.index, "_apply_batch", note)
    server.kill()
    await server.start_again()
    await api.until_ready()
    job_id = await plant_finished(isolated)
    await eventually(lambda: _knows(api, job_id), "the gateway hears of the job")
    assert read == [job_id]
    assert await _knows(api, jobs[0])


async def test_removed_records_are_forgotten_after_their_markers_expired(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.index.job_index.REREAD_AFTER", timedelta(0))
    api, client = await system.gateway(), await system.nats()
    removed, kept = await fill(client, 2)
    await eventually(lambda: _knows(api, kept), "the gateway knows both jobs")
    await api.services.index.stop_feed()
    await client.jetstream().purge_stream(STREAM, subject=f"$KV.{JOBS_BUCKET}.{removed}")
    await api.services.index.start_feed(api.services.bus.client)
    assert (await _forgot(api, removed), await _knows(api, kept)) == (True, True)


async def test_a_restarted_gateway_reads_only_what_changed(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await system.nats()
    jobs = await fill(client, 50)
    waiting = await _stop_after(system, tmp_path, jobs[-1])
    await client.publish(f"$KV.{JOBS_BUCKET}.{jobs[0]}", b"", headers={"KV-Operation": "DEL"})
    new = await plant_finished(system)
    read: list[str] = []
    take = JobIndex._apply_batch

    def note(index: JobIndex, batch: Batch) -> None:
        read.extend(change.key for change in batch.changes)
        take(index, batch)

    monkeypatch.setattr(JobIndex, "_apply_batch", note)
    api = await system.gateway(GATEWAY_INDEX_DIR=str(tmp_path))
    index = api.services.index
    assert [key for key in read if key != NO_RECORD] == [jobs[0], new]
    assert (await _forgot(api, jobs[0]), index.count(None)) == (True, 51)
    assert [entry.record.job_id for entry in index.unfinished()] == [waiting]
    assert index.changed_at(waiting) is not None
    assert index.queued() == {("starter", "normal"): 1}


async def test_a_restarted_gateway_knows_what_was_damaged(system: System, tmp_path: Path) -> None:
    client = await system.nats()
    jobs = await fill(client, 3)
    await client.publish(f"$KV.{JOBS_BUCKET}.{jobs[1]}", b"damaged")
    await _stop_after(system, tmp_path, jobs[-1])
    api = await system.gateway(GATEWAY_INDEX_DIR=str(tmp_path))
    assert list(api.services.index.damaged) == [jobs[1]]


async def test_a_restarted_gateway_forgets_what_was_removed_long_ago(
    system: System, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The markers of deletions have expired meanwhile."""
    client = await system.nats()
    removed, damaged, kept = await fill(client, 3)
    await client.publish(f"$KV.{JOBS_BUCKET}.{damaged}", b"damaged")
    waiting = await _stop_after(system, tmp_path, kept)
    for job_id in (removed, damaged, waiting):
        await client.jetstream().purge_stream(STREAM, subject=f"$KV.{JOBS_BUCKET}.{job_id}")
    monkeypatch.setattr("gateway.index.job_index.REREAD_AFTER", timedelta(0))
    api = await system.gateway(GATEWAY_INDEX_DIR=str(tmp_path))
    index = api.services.index
    assert (index.count(None), await _knows(api, kept)) == (1, True)
    assert (index.damaged, index.unfinished(), index.queued().total()) == ({}, [], 0)


async def _stop_after(system: System, folder: Path, last: str) -> str:
    """Run a gateway that keeps its index until it knows a job; then let it accept one and stop. Returns that job."""
    settings = system.settings("gateway", GATEWAY_INDEX_DIR=str(folder))
    async with running_gateway(settings) as api:
        await api.until_ready()
        await eventually(lambda: _knows(api, last), "the gateway knows the records")
        job_id = await api.generate(prompt="a tone")
        revision = api.services.index.entry(job_id)
        assert revision is not None
        await api.services.index.wait_for(revision.revision)
    return job_id


async def test_a_recreated_bucket_replaces_the_index(system: System) -> None:
    api, client = await system.gateway(), await system.nats()
    old = await fill(client, 20)
    await eventually(lambda: _knows(api, old[-1]), "the gateway knows the first bucket")
    await client.jetstream().delete_key_value(JOBS_BUCKET)
    await ensure_streams(client.jetstream())
    new = await plant_finished(system)
    await eventually(lambda: _knows(api, new), "the gateway knows the second bucket")
    assert api.services.index.count(None) == 1


async def test_records_removed_by_the_broker_are_forgotten(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a purge, or because they are older than an operator lets the bucket keep them."""
    monkeypatch.setattr("gateway.probe.CHECK_INTERVAL", 0.05)
    api, client = await system.gateway(), await system.nats()
    js, jobs = client.jetstream(), await fill(client, 3)
    await eventually(lambda: _knows(api, jobs[-1]), "the gateway knows the jobs")
    await js.purge_stream(STREAM, keep=1)
    await eventually(lambda: _forgot(api, jobs[0]), "the gateway forgets the purged records")
    assert await _knows(api, jobs[-1])
    config = (await js.stream_info(STREAM)).config
    await js.update_stream(config, max_age=1.0, duplicate_window=1.0)
    await eventually(lambda: _forgot(api, jobs[-1]), "the gateway forgets the expired record")


async def test_a_record_that_fails_to_index_does_not_block_others(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, taken = await system.gateway(), JobIndex.apply
    bad = await plant_finished(system)

    def choke(index: JobIndex, entry: Entry) -> None:
        if entry.record.seq == 666:
            raise OverflowError(entry.record.job_id)
        taken(index, entry)

    monkeypatch.setattr(JobIndex, "apply", choke)
    await (await system.nats()).publish(f"$KV.{JOBS_BUCKET}.{bad}", encode_record(replace(finished(bad), seq=666)))
    after = await plant_finished(system)
    await eventually(lambda: _knows(api, after), "the gateway reads on")


async def test_a_record_under_the_key_of_another_job_changes_no_job(system: System) -> None:
    api, client = await system.gateway(), await system.nats()
    other = await plant_finished(system)
    await client.publish(f"$KV.{JOBS_BUCKET}.{other}", encode_record(finished(new_job_id())))
    last = await plant_finished(system)
    await eventually(lambda: _knows(api, last), "the gateway has read on")
    assert api.services.index.count(None) == 2


async def _knows(api: Api, job_id: str) -> bool:
    return api.services.index.record(job_id) is not None


async def _forgot(api: Api, job_id: str) -> bool:
    return api.services.index.record(job_id) is None
