"""The permissions of each NATS role: sufficient, and no broader than documented."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import nats
import pytest
from nats.aio.client import Client
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig
from nats.js.errors import NotFoundError

from shared import subjects
from shared.bus import flush
from shared.nats_servers import parse_servers
from shared.topology import ensure_consumer, ensure_streams
from tests.integration.jobs import DAY, download_status, later, still_stored
from tests.integration.system import Api, System, eventually

JOB = "gen_000000000000"
FORBIDDEN = {
    "gateway": {
        "publish": [
            f"music.audio.{JOB}",
            "music.workers.w1",
            "$JS.ACK.MUSIC_JOBS.worker-starter.1.1.1.1.0",
            "$JS.API.CONSUMER.MSG.NEXT.MUSIC_JOBS.worker-starter",
            "$JS.API.CONSUMER.CREATE.MUSIC_JOBS",
            "$JS.API.CONSUMER.DELETE.MUSIC_JOBS.worker-starter",
            "$JS.API.STREAM.MSG.DELETE.MUSIC_EVENTS",
            "$JS.API.STREAM.CREATE.MINE",
            "$KV.other.key",
        ],
        "subscribe": ["music.cancel.*", "music.jobs.>", "_INBOX_worker.>"],
    },
    "worker": {
        "publish": [
            f"music.cancel.{JOB}",
            "$JS.API.STREAM.MSG.DELETE.MUSIC_JOBS",
            "$JS.API.CONSUMER.DELETE.MUSIC_JOBS.worker-starter",
            "$JS.API.CONSUMER.CREATE.MUSIC_EVENTS",
            "$JS.API.STREAM.CREATE.MINE",
            "$KV.other.key",
            "$KV.music_quotas.daw",
        ],
        "subscribe": ["music.events.>", "music.audio.*", "music.jobs.>", "_INBOX_gateway.>"],
    },
    "observer": {
        "publish": [f"music.cancel.{JOB}", "music.jobs.starter.normal", f"music.events.{JOB}.failed"],
        "subscribe": ["_INBOX_gateway.>", "_INBOX_worker.>", "music.jobs.>", "music.cancel.*", "music.workers.*"],
    },
}
# For the operator only.
PUBLISH = [
    "$JS.API.STREAM.DELETE.MUSIC_JOBS",
    "$JS.API.STREAM.PURGE.KV_music_jobs",
    "$JS.API.STREAM.UPDATE.MUSIC_JOBS",
    "$SRV.PING",
]
SUBSCRIBE = [">", "_INBOX.>", "$JS.API.>", "$KV.music_jobs.>", "$SYS.>", "$JS.EVENT.>"]


@pytest.mark.parametrize("role", FORBIDDEN)
async def test_a_role_cannot_use_subjects_it_does_not_need(system: System, role: str) -> None:
    refused: list[str] = []

    async def on_error(error: Exception) -> None:
        refused.append(str(error).lower())

    url = system.nats_urls[role]
    client = await nats.connect(url, error_cb=on_error, inbox_prefix=parse_servers(url).inbox_prefix)
    wanted = []
    for subject in FORBIDDEN[role]["publish"] + PUBLISH:
        wanted.append(f'permissions violation for publish to "{subject}"')
        await client.publish(subject, b"")
    for subject in FORBIDDEN[role]["subscribe"] + SUBSCRIBE:
        wanted.append(f'permissions violation for subscription to "{subject}"')
        await client.subscribe(subject)

    async def all_refused() -> bool:
        return len(refused) == len(wanted)

    await eventually(all_refused, "every subject is refused")
    await client.close()
    errors = "\n".join(refused)
    assert [each for each in wanted if each.lower() not in errors] == []


async def test_gateway_and_worker_have_all_permissions_they_need(
    system: System, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Covers creating streams; running, following, cancelling, keeping, handing back, requeuing and failing jobs.

    Also sharing, renewing and deleting stored audio.
    """
    api, worker = await system.gateway(), await system.worker()
    jobs = [await api.generate("slow", duration=duration) for duration in (0.5, 20, 20)]
    async with api.http.ws_connect(f"/ws?job_id={jobs[0]}&audio=1") as socket:
        await _until(socket, "completed")
        await socket.send_json({"type": "subscribe", "job_id": jobs[0], "after_seq": 0})
        await _until(socket, "completed")
    await api.until(jobs[1], "processing")
    assert await api.delete(jobs[1], keep=True) == 200
    await api.until(jobs[1], "cancelled")
    await api.until(jobs[2], "processing")
    assert await api.delete(await api.generate("slow", duration=20)) == 200
    await worker.stop(grace=0)
    await api.until(jobs[2], "queued")
    await _sweep(system, api, jobs[2], monkeypatch)
    await _share(system, api, jobs[0], monkeypatch)
    assert "permissions" not in caplog.text.lower()


async def _sweep(system: System, api: Api, queued: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reconciler requeues a job without a message, and fails an unserved one and deletes its message."""
    js = (await system.nats()).jetstream()
    await js.purge_stream(subjects.JOBS_STREAM)
    monkeypatch.setattr("gateway.jobs.reconciler.STALL_TIME", 0.0)
    await api.services.reconciler.reconcile()
    assert (await js.stream_info(subjects.JOBS_STREAM)).state.messages == 1
    monkeypatch.setattr("gateway.jobs.reconciler.UNSERVED", timedelta(seconds=0))
    monkeypatch.setattr("gateway.jobs.reconciler.ABSENCE", 0.0)
    await api.services.reconciler.reconcile()
    await api.until(queued, "failed")
    assert (await js.stream_info(subjects.JOBS_STREAM)).state.messages == 0


async def _share(system: System, api: Api, stored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve a request from the result cache, then have retention delete the audio with an excess record."""
    seed = (await api.status(stored))["seed"]
    job_id = await api.generate("slow", duration=0.5, seed=seed)
    assert (await api.status(job_id))["cached"] is True
    assert await download_status(api, job_id) == 200
    retention = await system.retention()
    assert await retention.acquire_turn() is not None
    assert await retention.acquire_turn() is None
    monkeypatch.setattr("worker.retention.retention.KEPT_RECORDS", 0)
    await retention.clean(later(8 * DAY))
    assert await still_stored(system, stored) == []


async def _until(socket: Any, kind: str) -> None:
    async with asyncio.timeout(20):
        async for message in socket:
            if isinstance(message.data, str) and json.loads(message.data)["type"] == kind:
                return


@pytest.mark.parametrize(
    ("url", "prefix"),
    [
        ("nats://gateway:secret@127.0.0.1:4222", "_INBOX_gateway"),
        ("nats://worker:secret@a:4222,nats://worker:secret@b:4222", "_INBOX_worker"),
        ("nats://operator:secret@127.0.0.1:4222", "_INBOX"),
        ("nats://127.0.0.1:4222", "_INBOX"),
        ("nats://s3cr3t-token@127.0.0.1:4222", "_INBOX"),
    ],
)
def test_each_role_has_its_own_inbox_prefix(url: str, prefix: str) -> None:
    assert parse_servers(url).inbox_prefix == prefix


# NATS checks what a client publishes, but not the reply subject of a request. The role may not publish to any of these
# subjects itself.
OUT_OF_REACH = {
    "gateway": [f"music.audio.{JOB}", "music.workers.w1", "$KV.other.key", "_INBOX_worker.guessed"],
    "worker": [f"music.cancel.{JOB}", "$KV.other.key", "_INBOX_gateway.guessed"],
}
EVENT = f"music.events.{JOB}.queued"
# An answer with the content of a message, which the role may have written.
DELETE_AUDIO = "$JS.API.STREAM.DELETE.MUSIC_AUDIO"
NO_MESSAGE = "$JS.API.DIRECT.GET.MUSIC_EVENTS.music.events.none.none"
STORED_EVENT = f"$JS.API.DIRECT.GET.MUSIC_EVENTS.{EVENT}"


@pytest.fixture
async def broker(system: System) -> Client:
    """An operator's connection to NATS, with the streams, a consumer and one event."""
    operator = await system.nats()
    await ensure_streams(operator.jetstream())
    await ensure_consumer(operator.jetstream(), "starter")
    await operator.jetstream().publish(EVENT, b'{"seq": 1}')
    return operator


@asynccontextmanager
async def logged_in(system: System, role: str) -> AsyncIterator[Client]:
    url = system.nats_urls[role]
    client = await nats.connect(url, inbox_prefix=parse_servers(url).inbox_prefix)
    try:
        yield client
    finally:
        await client.close()


async def push_events_to(client: Client, subject: str) -> None:
    """Create a consumer that delivers all events to a subject."""
    config = ConsumerConfig(deliver_subject=subject, ack_policy=AckPolicy.NONE)
    await client.jetstream().add_consumer(subjects.EVENTS_STREAM, config)


@pytest.mark.parametrize("role", OUT_OF_REACH)
async def test_nats_replies_to_subjects_that_the_requester_may_not_use(
    system: System, broker: Client, role: str
) -> None:
    """Documented in SECURITY.md: NATS has no permission that prevents this."""
    async with logged_in(system, role) as client:
        for subject in OUT_OF_REACH[role]:
            heard = await broker.subscribe(subject)
            await flush(broker)

            async def answered(to: str = subject, by: Subscription = heard) -> bytes | None:
                await client.publish(STORED_EVENT, reply=to)
                with suppress(nats.errors.TimeoutError):
                    return (await by.next_msg(timeout=1)).data
                return None

            assert await eventually(answered, f"the server answers to {subject}") == b'{"seq": 1}'


async def test_nats_pushes_events_to_subjects_that_the_gateway_may_not_use(system: System, broker: Client) -> None:
    async with logged_in(system, "gateway") as client:
        for subject in OUT_OF_REACH["gateway"]:
            heard = await broker.subscribe(subject)
            await flush(broker)
            await push_events_to(client, subject)
            assert (await heard.next_msg(timeout=5)).data == b'{"seq": 1}'


@pytest.mark.parametrize(
    ("role", "request_to", "body"),
    [
        ("gateway", NO_MESSAGE, b""),
        ("worker", NO_MESSAGE, b""),
        ("worker", "$JS.API.CONSUMER.MSG.NEXT.MUSIC_JOBS.worker-starter", b'{"no_wait": true, "batch": 1}'),
    ],
    ids=["gateway, direct get", "worker, direct get", "worker, pull"],
)
async def test_nats_executes_its_own_empty_reply_as_a_request(
    system: System, broker: Client, role: str, request_to: str, body: bytes
) -> None:
    """Documented in SECURITY.md: the reply "no message" is empty, and an empty request deletes a stream."""
    js = broker.jetstream()

    async def is_gone() -> bool:
        with suppress(NotFoundError):
            await js.stream_info(subjects.AUDIO_STREAM)
            return False
        return True

    async with logged_in(system, role) as client:
        await client.publish(request_to, body, reply=DELETE_AUDIO)
        await eventually(is_gone, "the stream is deleted")


async def test_nats_does_not_execute_delivered_messages_as_requests(system: System, broker: Client) -> None:
    await broker.jetstream().publish(EVENT, b"")
    heard = await broker.subscribe(DELETE_AUDIO)
    await flush(broker)
    async with logged_in(system, "gateway") as client:
        await push_events_to(client, DELETE_AUDIO)
        assert [(await heard.next_msg(timeout=5)).data for _ in range(2)] == [b'{"seq": 1}', b""]
    async with logged_in(system, "worker") as client:
        await client.jetstream().publish("music.jobs.starter.normal", b"")
        await client.publish("$JS.API.CONSUMER.MSG.NEXT.MUSIC_JOBS.worker-starter", b"1", reply=DELETE_AUDIO)
        assert (await heard.next_msg(timeout=5)).data == b""
    assert (await broker.jetstream().stream_info(subjects.AUDIO_STREAM)).config.name == subjects.AUDIO_STREAM


async def test_the_observer_cannot_make_nats_reply(system: System, broker: Client) -> None:
    heard = await broker.subscribe(f"music.cancel.{JOB}")
    await flush(broker)
    async with logged_in(system, "observer") as client:
        await client.publish(STORED_EVENT, reply=f"music.cancel.{JOB}")
        await flush(client)
    # Any message caused by the observer would arrive before this one.
    await broker.publish(f"music.cancel.{JOB}", b"last")
    assert (await heard.next_msg(timeout=5)).data == b"last"
