"""Answers and WebSocket frames fit the schemas that the OpenAPI document names for them."""

import json

import aiohttp
import pytest

from shared.audio_chunk import AudioChunk, unpack_chunk
from shared.messages import encode
from tests.integration.system import Api, System
from tests.schema_check import errors_of, times_in

# Schema, path and body of requests about a completed job.
REQUESTS = [
    ("JobView", "/api/v1/status/{job_id}", None),
    ("JobList", "/api/v1/jobs", None),
    ("JobAccepted", "/api/v1/generate", {"prompt": "piano", "duration": 0.5}),
    ("JobAccepted", "/api/v1/generate", {"components": {"genre": "house"}, "prompt": None, "duration": 0.5}),
    ("ProblemDetails", "/api/v1/generate", {"prompt": "piano", "components": {"genre": "house"}}),
    ("ProblemDetails", "/api/v1/generate", {"prompt": None, "duration": None}),
    ("BuiltPrompt", "/api/v1/prompt/build", {"genre": "house", "bpm": 124}),
    ("ParsedPrompt", "/api/v1/prompt/parse", {"prompt": "8 bars of house in A minor"}),
    ("Vocabulary", "/api/v1/prompt/vocabulary", None),
    ("ModelList", "/api/v1/models", None),
    ("HealthReport", "/health", None),
    ("Liveness", "/health/ready", None),
    ("ServiceInfo", "/", None),
    ("WaveformPeaks", "/api/v1/download/{job_id}/audio.peaks.json?proxy=1", None),
]
# Schemas of answers that contain times.
TIMED = {"JobView", "JobList", "JobAccepted", "HealthReport"}


@pytest.fixture
async def api(system: System) -> Api:
    api, _ = await system.gateway(), await system.worker()
    return api


async def test_answers_fit_their_schemas_and_write_times_alike(api: Api) -> None:
    job_id = await api.generate(duration=0.5)
    await api.until(job_id, "completed")
    for schema, path, body in REQUESTS:
        method = "GET" if body is None else "POST"
        headers = {"Accept": "application/json"}
        async with api.http.request(method, path.format(job_id=job_id), json=body, headers=headers) as response:
            answer = await response.json(content_type=None)
        assert errors_of(schema, answer) == []
        assert bool(times_in(answer)) == (schema in TIMED), schema


async def test_websocket_frames_fit_their_schemas_and_write_times_alike(api: Api) -> None:
    job_id = await api.generate("slow", duration=1.0)
    seen: set[str] = set()
    async with api.http.ws_connect("/ws") as socket:
        for request in (
            {"type": "subscribe", "job_id": job_id, "after_seq": 0, "audio": True},
            {"type": "ping"},
            {"type": "subscribe", "job_id": "gen_000000000000", "after_seq": None, "audio": None},
            {"type": "unsubscribe", "job_id": "gen_000000000000"},
        ):
            assert errors_of("ClientMessage", request) == []
            await socket.send_json(request)
        while not {"completed", "audio", "pong", "error", "queued", "processing", "progress"} <= seen:
            message = await socket.receive(timeout=10)
            frame = read_frame(message)
            seen.add(frame["type"])
            assert bool(times_in(frame)) == (frame["type"] not in {"audio", "pong", "error"})


def read_frame(message: aiohttp.WSMessage) -> dict[str, str]:
    """The JSON of a text frame, or of a binary frame's header."""
    if message.type is aiohttp.WSMsgType.BINARY:
        header, _ = unpack_chunk(message.data)
        chunk: dict[str, str] = json.loads(message.data[4:].partition(b"}")[0] + b"}")
        assert json.loads(encode(header)) == chunk
        assert set(chunk) == set(AudioChunk.__struct_fields__)
        assert errors_of("AudioChunk", chunk) == []
        return chunk
    frame: dict[str, str] = json.loads(message.data)
    assert errors_of("ServerMessage", frame) == []
    return frame
