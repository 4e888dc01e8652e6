"""The Python client reads every shared vector: answers, events, live audio, times and webhooks."""

import dataclasses
import json
import struct
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import pytest
from musicgen_client import (
    Event,
    JobAccepted,
    JobList,
    JobView,
    SubscriptionError,
    UnexpectedAnswerError,
    WebhookError,
    unpack_chunk,
    verify_webhook,
)
from musicgen_client.decoding import decode, parse_time
from musicgen_client.live import read_event
from musicgen_client.models import Message
from musicgen_client.requests import ExtendFields, GenerateFields, ReplaceFields, VaryFields

from tests.unit.clients.vectors import name_of, vectors

SCHEMAS: dict[str, type[Any]] = {model.__name__: model for model in (JobAccepted, JobList, JobView, Message)}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encoded(value: Any) -> Any:
    """A decoded value as the JSON that it was made from; times in milliseconds."""
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return {f.metadata.get("key", f.name): encoded(getattr(value, f.name)) for f in fields if f.name != "raw"}
    if isinstance(value, tuple):
        return [encoded(each) for each in value]
    if isinstance(value, datetime):
        return round((value - EPOCH) / timedelta(milliseconds=1))
    return value.value if isinstance(value, Enum) else value


def check(decoded: Any, body: Any) -> None:
    """Every field of the body that the model knows has arrived; null is the model's default."""
    if not isinstance(decoded, dict):
        assert decoded == (parse_milliseconds(body) if isinstance(body, str) and isinstance(decoded, int) else body)
        return
    for name, value in decoded.items():
        given = body.get(name)
        if isinstance(value, list) and given is not None:
            assert len(value) == len(given)
            for each, original in zip(value, given, strict=True):
                check(each, original)
        elif given is not None:
            check(value, given)
        else:
            assert value in (None, [], {}, False, 0, "")


def parse_milliseconds(text: str) -> int:
    return int(encoded(parse_time(text)))


@pytest.mark.parametrize("vector", vectors("answers"), ids=name_of)
def test_answers_are_decoded_without_a_loss(vector: dict[str, Any]) -> None:
    decoded = decode(SCHEMAS[vector["schema"]], vector["body"])
    check(encoded(decoded), vector["body"])
    if vector["schema"] == "JobView":
        assert decoded.raw == vector["body"]


@pytest.mark.parametrize("vector", vectors("answers"), ids=name_of)
@pytest.mark.parametrize("wrong", [None, ["x"], {"x": 1}, 7, True])
def test_an_answer_without_a_required_field_names_it(vector: dict[str, Any], wrong: object) -> None:
    model = SCHEMAS[vector["schema"]]
    required = [field.name for field in dataclasses.fields(model) if field.default is dataclasses.MISSING]
    name = next(name for name in required if name != "raw")
    with pytest.raises(UnexpectedAnswerError, match=f"{model.__name__}.{name}"):
        decode(model, vector["body"] | {name: wrong})


@pytest.mark.parametrize("vector", vectors("frames"), ids=name_of)
def test_frames_are_events_or_errors(vector: dict[str, Any]) -> None:
    frame = vector["frame"]
    if frame["type"] == "error":
        with pytest.raises(SubscriptionError, match=frame["detail"]):
            read_event(json.dumps(frame))
        return
    event = read_event(json.dumps(frame))
    if frame["type"] == "pong":
        assert event is None
    else:
        assert isinstance(event, Event)
        check(encoded(event), frame)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"seq": "x"}', '{"seq": 1, "type": 3}'])
def test_a_frame_of_another_server_is_an_error(text: str) -> None:
    with pytest.raises(UnexpectedAnswerError):
        read_event(text)


@pytest.mark.parametrize("vector", vectors("audio_chunks"), ids=name_of)
def test_live_audio_is_unpacked_or_refused(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    if vector["samples"] is None:
        with pytest.raises(UnexpectedAnswerError):
            unpack_chunk(data)
        return
    chunk = unpack_chunk(data)
    assert list(struct.unpack(f"<{len(chunk.pcm) // 4}f", chunk.pcm)) == vector["samples"]
    assert chunk.frames * chunk.channels == len(vector["samples"])
    assert chunk.last == (chunk.frames == 0)


def test_the_rest_of_a_chunk_begins_with_a_whole_frame() -> None:
    chunk = unpack_chunk(bytes.fromhex(vectors("audio_chunks")[0]["hex"]))
    rest = chunk.after(chunk.first_sample + 1)
    assert (rest.first_sample, rest.frames, rest.end) == (chunk.first_sample + 1, 1, chunk.end)
    assert struct.unpack("<2f", rest.pcm) == (-0.5, 1.0)
    assert chunk.after(0) == chunk
    assert chunk.after(10**9).pcm == b""


@pytest.mark.parametrize("vector", vectors("timestamps"), ids=name_of)
def test_times_are_read_or_refused(vector: dict[str, Any]) -> None:
    if vector["milliseconds"] is None:
        with pytest.raises(ValueError, match=r"isoformat|RFC 3339"):
            parse_time(vector["text"])
    else:
        assert parse_milliseconds(vector["text"]) == vector["milliseconds"]


def test_every_field_of_the_requests_is_one_of_generate() -> None:
    used = {name for vector in vectors("requests") for name in vector["body"]}
    assert used - {"prompt"} == set(GenerateFields.__annotations__) - {"edit"}


@pytest.mark.parametrize("vector", vectors("children"), ids=lambda vector: vector["route"])
def test_every_field_of_a_child_is_one_of_its_call(vector: dict[str, Any]) -> None:
    fields = {"vary": VaryFields, "extend": ExtendFields, "replace": ReplaceFields}[vector["route"]]
    # A take with a score has bars; seconds are for the others.
    assert set(vector["body"]) == set(fields.__annotations__) - {"seconds", "from_seconds", "to_seconds"}


@pytest.mark.parametrize("vector", vectors("webhooks"), ids=name_of)
def test_webhooks_are_verified(vector: dict[str, Any]) -> None:
    headers = {f"Webhook-{name.title()}": vector[name] for name in ("id", "timestamp", "signature")}
    body = vector["body"].encode()
    if vector["valid"]:
        assert verify_webhook(body, headers, vector["secret"], now=vector["now"]) == {"test": 2432232314}
        assert verify_webhook(body, headers, "whsec_AAAA", vector["secret"], now=vector["now"])
    else:
        with pytest.raises(WebhookError):
            verify_webhook(body, headers, vector["secret"], now=vector["now"])


def test_a_webhook_without_headers_or_secrets_is_an_error() -> None:
    with pytest.raises(WebhookError, match="no valid webhook-id"):
        verify_webhook(b"{}", {}, "whsec_AAAA")
    for secrets in ([], ["whsec_!"]):
        with pytest.raises(ValueError, match="secret"):
            verify_webhook(b"{}", {}, *secrets)
