"""The AsyncAPI 3 document: the WebSocket, and the subjects on NATS, from the structs that encode and decode them.

Specification: https://www.asyncapi.com/docs/reference/specification/v3.0.0

`python -m gateway.http.asyncapi` prints it.
"""

import re
import sys
from typing import NamedTuple, get_args

import msgspec

from gateway.http.openapi_examples import JOB_ID
from gateway.http.openapi_schemas import REFERENCE, Json, make_schemas, reference
from shared import subjects
from shared.job_id import JOB_ID_PATTERN
from shared.messages import Event, EventType, Job, JobRecord
from shared.version import SERVICE, VERSION
from shared.worker_info import WorkerInfo

_PARAMETERS: dict[str, Json] = {
    "job_id": {"description": f"The id of a job: `{JOB_ID_PATTERN}`.", "examples": [JOB_ID]},
    "type": {"description": "What happened.", "enum": list(get_args(EventType))},
    "model": {"description": "The model that a job asks for.", "examples": ["starter"]},
    "lane": {"description": "A lane of the queue: a priority, and with API keys a share.", "examples": ["normal"]},
    "worker_id": {"description": "The id of a worker.", "examples": ["worker-7f3a"]},
}


class MessageChannel(NamedTuple):
    """A channel, and what the service does with its messages.

    Attributes:
        sends: names of schemas of messages that the service sends.
        receives: names of schemas of messages that it receives.
    """

    name: str
    server: str
    address: str
    description: str
    sends: tuple[str, ...] = ()
    receives: tuple[str, ...] = ()


# `AudioFrame` and `Hint` are no JSON; they have a description only.
CHANNELS = (
    MessageChannel(
        "websocket",
        "gateway",
        "/ws",
        "Text frames are JSON, binary frames are audio. `?job_id=…` subscribes at once, `&audio=1` to its audio, too.",
        sends=("ServerMessage", "AudioFrame"),
        receives=("ClientMessage",),
    ),
    MessageChannel(
        "jobs",
        "nats",
        subjects.job_subject("{model}", "{lane}"),
        "The stream MUSIC_JOBS, a work queue. The header Nats-Msg-Id is the job's id.",
        sends=("Job",),
        receives=("Job",),
    ),
    MessageChannel(
        "events",
        "nats",
        subjects.event_subject("{job_id}", "{type}"),
        "The stream MUSIC_EVENTS, kept for a day.",
        sends=("Event",),
    ),
    MessageChannel(
        "audio",
        "nats",
        subjects.audio_subject("{job_id}"),
        "The stream MUSIC_AUDIO: the audio of a job while it is made.",
        sends=("AudioFrame",),
    ),
    MessageChannel(
        "records",
        "nats",
        subjects.record_subject("{job_id}"),
        "The bucket music_jobs: the state of each job, changed by compare-and-set only.",
        sends=("JobRecord",),
    ),
    MessageChannel(
        "cancels",
        "nats",
        subjects.cancel_subject("{job_id}"),
        "A hint to the worker of a job whose record says that it is cancelled.",
        sends=("Hint",),
        receives=("Hint",),
    ),
    MessageChannel(
        "workers",
        "nats",
        subjects.worker_subject("{worker_id}"),
        "Each worker's announcement, every two seconds. An empty message means that it stops.",
        sends=("WorkerInfo",),
    ),
)
_PLAIN: dict[str, Json] = {
    "AudioFrame": {
        "summary": "The length of its header in four bytes (little-endian), an AudioChunk as JSON, float32 samples.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary"},
    },
    "Hint": {"summary": "An empty message.", "contentType": "text/plain", "payload": {"type": "string", "const": ""}},
}


def make_asyncapi() -> Json:
    """Build the document as plain data."""
    used = dict.fromkeys(name for channel in CHANNELS for name in (*channel.sends, *channel.receives))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": SERVICE,
            "version": VERSION,
            "description": "Events and audio of jobs, over WebSocket and NATS. The REST API is at /openapi.json.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "gateway": {"host": "localhost:8000", "protocol": "ws", "description": "A gateway."},
            "nats": {"host": "localhost:4222", "protocol": "nats", "description": "NATS with JetStream."},
        },
        "channels": {channel.name: _channel(channel) for channel in CHANNELS},
        "operations": {
            f"{action}_{channel.name}": _operation(channel.name, action, names)
            for channel in CHANNELS
            for action, names in (("send", channel.sends), ("receive", channel.receives))
            if names
        },
        "components": {
            "schemas": _used_schemas(),
            "messages": {name: _PLAIN.get(name) or _message(name) for name in used},
        },
    }


def _channel(channel: MessageChannel) -> Json:
    names = re.findall(r"{(\w+)}", channel.address)
    return {
        "address": channel.address,
        "description": channel.description,
        "servers": [{"$ref": f"#/servers/{channel.server}"}],
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in dict.fromkeys(channel.sends + channel.receives)
        },
        **({"parameters": {name: _PARAMETERS[name] for name in names}} if names else {}),
    }


def _operation(channel: str, action: str, names: tuple[str, ...]) -> Json:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names],
    }


def _message(name: str) -> Json:
    return {"name": name, "contentType": "application/json", "payload": reference(name)}


def _used_schemas() -> Json:
    """The schemas of the messages, and those that they refer to."""
    schemas = make_schemas([Event, Job, JobRecord, WorkerInfo])
    found: Json = {}
    waiting = ["ServerMessage", "ClientMessage", "AudioChunk", "Event", "Job", "JobRecord", "WorkerInfo"]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _plain(schemas[name])
            waiting += re.findall(rf"{REFERENCE}(\w+)", msgspec.json.encode(found[name]).decode())
    return dict(sorted(found.items()))


def _plain(schema: Json) -> Json:
    """A discriminator of OpenAPI is an object; AsyncAPI's is the name of the property."""
    found: Json = dict(schema)
    if isinstance(found.get("discriminator"), dict):
        found["discriminator"] = found["discriminator"]["propertyName"]
    return found


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(make_asyncapi()))
