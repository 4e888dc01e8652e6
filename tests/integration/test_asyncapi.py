"""Real traffic on NATS and on the WebSocket fits the AsyncAPI document, and all of its channels occur."""

import json
import re
from typing import Any

import aiohttp
from jsonschema import Draft7Validator
from nats.aio.msg import Msg

from gateway.http.asyncapi import make_asyncapi
from shared.audio_chunk import unpack_chunk
from shared.bus import flush
from shared.messages import encode
from tests.integration.system import System, eventually

DOCUMENT: dict[str, Any] = json.loads(encode(make_asyncapi()))
# What other programs need not read: questions to one process, and a write that proves that NATS stores.
NOT_DOCUMENTED = re.compile(r"music\.state\..*|\$KV\.music_jobs\.trial-write")


def channel_of(subject: str) -> str | None:
    for name, channel in DOCUMENT["channels"].items():
        pattern = re.sub(r"\\{\w+\\}", "[^.]+", re.escape(channel["address"]))
        if re.fullmatch(pattern, subject):
            return str(name)
    return None


def errors_of(channel: str, payload: Any) -> list[str]:
    """Where the payload differs from every message of the channel; empty if it fits one."""
    names = [each["$ref"].rpartition("/")[2] for each in DOCUMENT["channels"][channel]["messages"].values()]
    found = []
    for name in names:
        schema = {**DOCUMENT["components"]["messages"][name]["payload"], "components": DOCUMENT["components"]}
        errors = [
            f"{name} {error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(payload)
        ]
        if not errors:
            return []
        found += errors
    return found


def payload_of(message: Msg) -> Any:
    """The JSON of a message, the header of audio as text, or the text of an empty message."""
    if message.subject.startswith("music.audio."):
        unpack_chunk(message.data)
        return "audio"
    return json.loads(message.data) if message.data else ""


async def test_traffic_on_nats_fits_the_document(system: System) -> None:
    api = await system.gateway()
    seen: list[tuple[str, Any]] = []

    async def take(message: Msg) -> None:
        if not NOT_DOCUMENTED.fullmatch(message.subject):
            seen.append((message.subject, payload_of(message)))

    operator = await system.nats()
    for subject in ("music.>", "$KV.music_jobs.>"):
        await operator.subscribe(subject, cb=take)
    await flush(operator)
    await system.worker()
    done = await api.generate("slow", duration=1.0)
    cancelled = await api.generate("slow", duration=60.0)
    await api.until(cancelled, "processing")
    await api.delete(cancelled)
    await api.until(done, "completed")

    async def complete() -> bool:
        return {channel_of(subject) for subject, _ in seen} >= set(DOCUMENT["channels"]) - {"websocket"}

    await eventually(complete, "every channel has had a message")
    for subject, payload in seen:
        channel = channel_of(subject)
        assert channel is not None, subject
        is_farewell = channel == "workers" and payload == ""
        assert is_farewell or errors_of(channel, payload) == [], subject


async def test_frames_of_the_websocket_fit_the_document(system: System) -> None:
    api, _ = await system.gateway(), await system.worker()
    job_id = await api.generate("slow", duration=1.0)
    kinds: set[str] = set()
    async with api.http.ws_connect("/ws") as socket:
        for request in ({"type": "subscribe", "job_id": job_id, "audio": True}, {"type": "ping"}):
            assert errors_of("websocket", request) == []
            await socket.send_json(request)
        while not {"completed", "pong", "audio"} <= kinds:
            message = await socket.receive(timeout=10)
            if message.type is aiohttp.WSMsgType.BINARY:
                header, _ = unpack_chunk(message.data)
                assert errors_of_schema("AudioChunk", json.loads(encode(header))) == []
                kinds.add("audio")
            else:
                frame = json.loads(message.data)
                assert errors_of("websocket", frame) == []
                kinds.add(frame["type"])


def errors_of_schema(name: str, value: Any) -> list[str]:
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    return [error.message for error in Draft7Validator(schema).iter_errors(value)]


def test_a_wrong_message_does_not_fit() -> None:
    assert errors_of("events", {"type": "completed"}) != []
    assert errors_of("websocket", {"type": "dance"}) != []
    assert channel_of("music.events.gen_1.2.completed") is None
