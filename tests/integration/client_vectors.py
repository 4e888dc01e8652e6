"""Records what a real gateway answers and sends, as the vectors that the tests of every client read.

What differs from run to run, such as ids and times, is replaced by fixed values of the same form.
"""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from shared.audio_chunk import AudioChunk, pack_chunk
from tests.integration.client_vector_requests import CHILDREN, REQUESTS, Vectors
from tests.integration.system import Api, System
from tests.integration.webhook_receiver import SETTINGS
from tests.uploads import audio, midi

SCORING = {"MUSICGEN_ENGINE": "tests.engines:load_scoring"}
JSON_TYPE = {"Content-Type": "application/json"}
KEY = "k" * 48
SCORED = "completed, of a model that writes scores"
MUSIC = {
    "prompt": "only bass guitar, piano and drums, 126 bpm, no vocals, with a siren",
    "bars": 2,
    "key": "Am",
    "loop": True,
    "seed": 7,
    "loudness": -14.0,
    "outputs": ["midi", "stems"],
}
# What a status has had in every version. The DAW's decoder needs the first five.
ALWAYS = ("job_id", "status", "progress", "message", "created_at")
FIRST_CONTRACT = (
    *ALWAYS,
    *("started_at", "completed_at", "error_message", "prompt", "duration", "audio_url", "file_size", "actual_duration"),
)


class Normaliser:
    """Replaces what differs from run to run; the same text is always replaced by the same one."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._sequence: dict[int, int] = {}

    def __call__(self, value: Any) -> Any:
        text = json.dumps(value)
        text = re.sub(r"gen_[a-z0-9]{12}", lambda found: self._id(found[0]), text)
        text = re.sub(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", self._time, text)
        text = re.sub(r'"[0-9a-f]{64}"', f'"{"ab" * 32}"', text)
        return _fixed(json.loads(text), self._sequence)

    def _id(self, job_id: str) -> str:
        return self._ids.setdefault(job_id, f"gen_abc{len(self._ids):09d}")

    @staticmethod
    def _time(found: re.Match[str]) -> str:
        fraction = "" if found[1] is None else ".123456789"[: len(found[1])]
        return f"2024-12-01T10:00:00{fraction}Z"


# Numbers and texts that depend on the machine or on chance; null stays null.
_FIXED: dict[str, Any] = {
    "eta_seconds": 1.5,
    "queue_position": 1,
    "lufs": -14.02,
    "true_peak_dbtp": -1.0,
    "bpm_confidence": 0.87,
    "s3_etag": "abc",
    "request_id": "0123456789abcdef",
    "generating": 0.5,
    "encoding": 0.25,
    "uploading": 0.125,
    "file_size": 64_160,
    "size": 64_160,
}


def _fixed(value: Any, sequence: dict[int, int]) -> Any:
    if isinstance(value, list):
        return [_fixed(each, sequence) for each in value]
    if not isinstance(value, dict):
        return value
    fixed = {name: _fixed(each, sequence) for name, each in value.items()}
    fixed |= {name: text for name, text in _FIXED.items() if value.get(name) is not None}
    if "seq" in value:
        fixed["seq"] = sequence.setdefault(value["seq"], len(sequence) + 1)
    if value.get("status") == "processing":
        fixed["progress"] = 0.5
    if value.get("status") == "cancelled" and value.get("audio"):  # whatever was there when the job was stopped
        fixed |= {"actual_duration": 0.25, "audio": fixed["audio"] | {"duration": 0.25}, "progress": 0.5}
        fixed["measured"] |= {"gain_db": -3.98}
    return fixed


async def record(system: System, model: Path) -> dict[str, Vectors]:
    """All vectors by their file's name. `model` is a checkpoint of a model that writes scores."""
    api, same = await system.gateway(WEBHOOK_SECRETS=SETTINGS["WEBHOOK_SECRETS"]), Normaliser()
    answers = await _queued_answers(api)
    await system.worker(**SCORING)
    frames, more = await _followed_jobs(api)
    answers += more
    await _accept_requests(api)
    problems = same(await _problems(system, api))
    answers.append(await _music(system, model))
    answers = same(answers)
    return {
        "requests": REQUESTS,
        "children": CHILDREN,
        "answers": answers + _variants(answers),
        "problems": problems,
        "frames": _frame_variants(same(frames)),
        "audio_chunks": _audio_chunks(),
        "timestamps": TIMESTAMPS,
        "webhooks": WEBHOOKS,
    }


async def _accept_requests(api: Api) -> None:
    """The gateway accepts every request; the ids in them stand for those of real files."""
    files = {"aud_abc000000000": midi(), "aud_abc000000001": audio("wav", 2.0)}
    bodies = json.dumps([request["body"] for request in REQUESTS])
    for shown, content in files.items():
        uploaded = await _json(api, "POST", "/api/v1/audio", data=content, headers={"Content-Type": "audio/wav"})
        bodies = bodies.replace(shown, uploaded["audio_id"])
    for body in json.loads(bodies):
        await _json(api, "POST", "/api/v1/generate", json=body)


def _answer(name: str, schema: str, body: Any) -> dict[str, Any]:
    return {"name": name, "schema": schema, "body": body}


async def _json(api: Api, method: str, path: str, **options: Any) -> Any:
    async with api.http.request(method, path, **options) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def _queued_answers(api: Api) -> Vectors:
    accepted = await _json(api, "POST", "/api/v1/generate", json={"prompt": "tone", "duration": 1.0, "seed": 1})
    job_id = accepted["job_id"]
    return [
        _answer("accepted", "JobAccepted", accepted),
        _answer("queued", "JobView", await api.status(job_id)),
        _answer("cancel", "Message", await _json(api, "DELETE", f"/api/v1/jobs/{job_id}")),
        _answer("cancelled", "JobView", await api.status(job_id)),
    ]


async def _followed_jobs(api: Api) -> tuple[Vectors, Vectors]:
    """The frames of one job after another to its end, and the answers about them."""
    made = await api.generate("slow", 2.0, seed=7, title="Küche", outputs=["midi", "stems"])
    frames = [{"name": f"made, {frame['type']}", "frame": frame} for frame in await _frames(api, made)]
    processing = await api.generate("slow", 60.0, seed=8)
    answers = [
        _answer("completed", "JobView", await api.status(made)),
        _answer("processing", "JobView", await api.until(processing, "processing")),
    ]
    await _until_audio(api, processing)
    await _json(api, "DELETE", f"/api/v1/jobs/{processing}", params={"keep": "1"})
    answers.append(_answer("cancelled, with its audio", "JobView", await api.until(processing, "cancelled")))
    several = await _json(api, "POST", "/api/v1/generate", json={"prompt": "tone", "seed": 20, "variations": 2})
    answers.append(_answer("accepted, with several takes", "JobAccepted", several))
    ended = [await api.until(take["job_id"], "completed") for take in several["takes"]]
    answers.append(_answer("one of several takes", "JobView", ended[0]))
    failed = await api.generate("fail", 1.0, seed=9)
    frames += [{"name": "failed", "frame": (await _frames(api, failed))[-1]}]
    frames += [{"name": "cancelled", "frame": (await _frames(api, processing))[-1]}]
    answers.append(_answer("failed", "JobView", await api.status(failed)))
    listing = await _json(api, "GET", "/api/v1/jobs", params={"limit": "2"})
    answers.append(_answer("a page of jobs", "JobList", listing | {"next_cursor": "1733047200000-gen_abc000000002"}))
    async with api.http.ws_connect("/ws") as socket:
        for name, frame in (("pong", {"type": "ping"}), ("error", {"type": "subscribe", "job_id": "gen_" + "0" * 12})):
            await socket.send_json(frame)
            frames.append({"name": name, "frame": await socket.receive_json(timeout=10)})
    return frames, answers


async def _frames(api: Api, job_id: str) -> list[dict[str, Any]]:
    """One frame of each type, as they come."""
    found: dict[str, dict[str, Any]] = {}
    async with api.http.ws_connect("/ws") as socket:
        await socket.send_json({"type": "subscribe", "job_id": job_id, "after_seq": 0})
        async for message in socket:
            assert message.type is aiohttp.WSMsgType.TEXT
            frame = json.loads(message.data)
            found.setdefault(frame["type"], frame)
            if frame["status"] in ("completed", "failed", "cancelled"):
                break
    return list(found.values())


async def _until_audio(api: Api, job_id: str) -> None:
    async with api.http.ws_connect(f"/ws?job_id={job_id}&audio=1") as socket:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                return


async def _music(system: System, model: Path) -> dict[str, Any]:
    """A job of a model that reads prompts and writes scores."""
    settings = {"MUSICGEN_ENGINE": "batching", "MUSICGEN_DEVICE": "cpu", "MUSICGEN_MODEL_SIZE": str(model)}
    settings |= {"WEBHOOK_SECRETS": SETTINGS["WEBHOOK_SECRETS"]}
    api, _ = await system.gateway(**settings), await system.worker(**settings)
    async with api.http.post("/api/v1/generate", json=MUSIC) as response:
        job_id = (await response.json())["job_id"]
    view = await api.until(job_id, "completed")
    for child in CHILDREN:
        await _json(api, "POST", f"/api/v1/jobs/{job_id}/{child['route']}", json=child["body"])
    return _answer(SCORED, "JobView", view)


async def _problems(system: System, api: Api) -> Vectors:
    """Refusals of the gateway, and of one with API keys and tight limits."""
    slow, failed = await api.generate("slow", 60.0), await api.generate("fail")
    await api.until(failed, "failed")
    found = [
        await _problem(api, "an unknown job", "GET", "/api/v1/status/gen_000000000000"),
        await _problem(api, "audio that is not there yet", "GET", f"/api/v1/download/{slow}"),
        await _problem(api, "a cancel of a finished job", "DELETE", f"/api/v1/jobs/{failed}"),
        await _problem(api, "an invalid field", "POST", "/api/v1/generate", json={"prompt": "x", "duration": -1}),
        await _problem(api, "no JSON", "POST", "/api/v1/generate", data=b"{", headers=JSON_TYPE),
        await _lost_audio(system, api),
    ]
    await api.delete(slow)
    closed = await system.gateway(API_KEYS=f"daw:{KEY}", KEY_QUEUED_JOBS="1")
    with_key: dict[str, Any] = {
        "headers": {"Authorization": f"Bearer {KEY}"},
        "json": {"prompt": "slow", "duration": 60},
    }
    found.append(await _problem(closed, "no key", "GET", "/api/v1/jobs"))
    while True:  # each slot of the worker takes one, and one more may wait
        async with closed.http.post("/api/v1/generate", **with_key) as response:
            if response.status == 429:
                break
    found.append(await _problem(closed, "too many jobs", "POST", "/api/v1/generate", **with_key))
    return found


async def _lost_audio(system: System, api: Api) -> dict[str, Any]:
    job_id = await api.generate(seed=11)
    key = (await api.until(job_id, "completed"))["audio"]["key"]
    storage = system.storage()
    storage._client.remove_object(storage.bucket, key)
    return await _problem(api, "audio that is lost", "GET", f"/api/v1/download/{job_id}")


async def _problem(api: Api, name: str, method: str, path: str, **options: Any) -> dict[str, Any]:
    async with api.http.request(method, path, **options) as response:
        body = await response.json(content_type=None)
        assert response.status >= 400, body
        shown = {header: response.headers[header] for header in ("Retry-After",) if header in response.headers}
        return {"name": name, "status": response.status, "headers": shown, "body": body}


def _variants(answers: Vectors) -> Vectors:
    """The completed job as later and earlier gateways may send it, and with as little as possible."""
    body = next(each["body"] for each in answers if each["name"] == SCORED)
    return [
        _answer("a later version, with unknown fields", "JobView", _with_unknown(body)),
        _answer("an earlier version", "JobView", {name: body[name] for name in FIRST_CONTRACT}),
        _answer("null where possible", "JobView", {name: body[name] if name in ALWAYS else None for name in body}),
    ]


def _frame_variants(frames: Vectors) -> Vectors:
    last = next(each["frame"] for each in frames if each["name"] == "made, completed")
    return [*frames, {"name": "a later version, with unknown fields", "frame": _with_unknown(last)}]


def _with_unknown(value: Any) -> Any:
    """The value with a field more in each object, also in nested ones."""
    if isinstance(value, list):
        return [_with_unknown(each) for each in value]
    if isinstance(value, dict):
        return {name: _with_unknown(each) for name, each in value.items()} | {"of_a_later_version": {"x": [1, None]}}
    return value


def _audio_chunks() -> Vectors:
    """Binary frames in hex, with their samples; null for frames that are damaged."""
    stereo = AudioChunk(
        job_id="gen_abc000000000", seq=3, attempt=1, first_sample=48_000, frames=2, sample_rate=32_000, channels=2
    )
    end = AudioChunk(
        job_id="gen_abc000000000",
        seq=4,
        attempt=1,
        first_sample=48_002,
        frames=0,
        sample_rate=32_000,
        channels=2,
        last=True,
    )
    # 0.0, 0.5, -0.5 and 1.0 as float32, little-endian.
    whole = pack_chunk(stereo, bytes.fromhex("000000000000003f000000bf0000803f"))
    later = whole.replace(b'"type":"audio"', b'"type":"audio","of_a_later_version":null')
    later = (len(later) - 4 - 16).to_bytes(4, "little") + later[4:]
    valid = [
        ("stereo", whole, [0.0, 0.5, -0.5, 1.0]),
        ("the last chunk, without samples", pack_chunk(end, b""), []),
        ("a later version, with an unknown field", later, [0.0, 0.5, -0.5, 1.0]),
    ]
    damaged = [
        ("no bytes", b""),
        ("a length alone", whole[:4]),
        ("a cut header", whole[:40]),
        ("a missing sample", whole[:-4]),
        ("half a sample", whole[:-2]),
        ("another format", whole.replace(b"f32le", b"s16le")),
        ("no JSON", whole[:4] + b"[" + whole[5:]),
        ("a header that is longer than the frame", b"\xff\xff\xff\xff" + whole[4:]),
    ]
    return [{"name": name, "hex": data.hex(), "samples": samples} for name, data, samples in valid] + [
        {"name": name, "hex": data.hex(), "samples": None} for name, data in damaged
    ]


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


# null is no time that a gateway sends. Earlier versions sent microseconds.
TIMESTAMPS: Vectors = [
    {"text": text, "milliseconds": _milliseconds(text)}
    for text in (
        "2024-12-01T10:00:00Z",
        "2024-12-01T10:00:00.000Z",
        "2024-12-01T10:00:00.123Z",
        "2024-12-01T10:00:00.999Z",
        "2024-12-01T10:00:00.123456Z",
        "2024-02-29T23:59:59.500Z",
        "2024-12-01T12:00:00+02:00",
        "2024-12-01T12:00:00.250+02:00",
        "1970-01-01T00:00:00Z",
        "2099-12-31T23:59:59.001Z",
    )
] + [
    {"text": text, "milliseconds": None}
    for text in ("", "yesterday", "2024-12-01", "2024-12-01T10:00:00", "1733047200")
]

_SIGNED = {
    # Signed by the specification's reference library.
    "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "timestamp": "1614265330",
    "signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    "body": '{"test": 2432232314}',
    "now": 1614265330,
    "valid": True,
}
WEBHOOKS: Vectors = [
    {"name": "as the reference library signs", **_SIGNED},
    {"name": "two signatures, the second one right", **_SIGNED, "signature": f"v1,AAAA {_SIGNED['signature']}"},
    {"name": "five minutes late", **_SIGNED, "now": 1614265330 + 300},
    {"name": "too late", **_SIGNED, "now": 1614265330 + 301, "valid": False},
    {"name": "from the future", **_SIGNED, "now": 1614265330 - 301, "valid": False},
    {"name": "an altered body", **_SIGNED, "body": '{"test": 2432232315}', "valid": False},
    {"name": "an altered id", **_SIGNED, "id": "msg_other", "valid": False},
    {"name": "an altered time", **_SIGNED, "timestamp": "1614265331", "valid": False},
    {"name": "a time that is no number", **_SIGNED, "timestamp": "now", "valid": False},
    {"name": "another secret", **_SIGNED, "secret": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "valid": False},
    {
        "name": "another version of signatures",
        **_SIGNED,
        "signature": "v2" + str(_SIGNED["signature"])[2:],
        "valid": False,
    },
    {"name": "no signature", **_SIGNED, "signature": "", "valid": False},
]
