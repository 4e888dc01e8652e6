"""The protocol of the "sa3" tab of gary4juce, a VST3 and AU plugin: its users generate with this service.

The plugin posts a prompt to /generate or /generate/loop, polls /poll_status/{session_id}, and gets the WAV file as
base64 in the last answer (https://github.com/betweentwomidnights/gary4juce, Source/PluginEditor.Jerry.cpp and
PluginEditor.cpp). It shows the reason of a refusal only if the status is 200 with `"success": false`. Off by default:
the setting GATEWAY_GARY4JUCE adds these routes.
"""

import base64
import random
import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web
from msgspec import UNSET
from msgspec.structs import replace

from gateway.http.authentication import viewer_of
from gateway.http.handlers.downloads import audio_file
from gateway.http.handlers.generate import submit
from gateway.http.middleware import Handler
from gateway.http.requests import field_error, read_body
from gateway.http.responses import json_response
from gateway.http.stored_content import record_loss, send_chunks
from gateway.jobs.stored_files import LostError
from gateway.problems import Problem, audio_gone, invalid, lost_file_problem
from gateway.prompts import build_prompt, random_components
from gateway.schemas import GenerateRequest
from gateway.services import SERVICES, Services
from shared.errors import UnavailableError
from shared.messages import JobRecord, JobStatus
from shared.music import parse_key

# The plugin appends the tempo of its DAW, and the key that the user chose, to every prompt.
_PROMPT = re.compile(r"(?:.*, )?(?P<bpm>\d+) bpm(?:, (?P<key>[A-G][#b]? (?:major|minor)))?", re.DOTALL)
# Prompts in one roll of the plugin's dice.
DICE = 12


class PluginRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the plugin posts.

    `steps`, `cfg_scale`, `shift` and `loras` have no meaning for these models, and are ignored like all other fields.

    Attributes:
        duration: in seconds, for /generate.
        bars: for /generate/loop.
        seed: −1 for a random one.
    """

    prompt: str
    duration: float | None = None
    bars: int | None = None
    seed: int = -1


def add_routes(app: web.Application) -> None:
    """Add the plugin's routes to the gateway's own."""
    app.router.add_post("/generate", _explained(generate))
    app.router.add_post("/generate/loop", _explained(generate))
    app.router.add_get("/poll_status/{session_id}", _explained(poll_status), allow_head=False)
    app.router.add_get("/prompts", prompts)
    app.router.add_get("/loras", loras)


async def generate(request: web.Request) -> web.Response:
    """Accept a job; its id is the plugin's session."""
    record = await submit(request, to_generate_request(await read_body(request, PluginRequest)))
    return json_response({"success": True, "session_id": record.job_id, "seed": str(record.recipe.seed)})


def to_generate_request(posted: PluginRequest) -> GenerateRequest:
    """The same request in this service's own words; the text of the prompt keeps tempo and key.

    Raises:
        Problem: 422 if a value is out of range.
    """
    fields: dict[str, Any] = {"prompt": posted.prompt}
    if found := _PROMPT.fullmatch(posted.prompt):
        fields |= {"bpm": int(found["bpm"]), "key": parse_key(found["key"]).name if found["key"] else UNSET}
    if posted.bars is None:
        fields["duration"] = posted.duration
    else:
        fields |= {"bars": posted.bars, "loop": True}
    if posted.seed >= 0:
        fields["seed"] = posted.seed
    given = {name: value for name, value in fields.items() if value is not UNSET}
    try:
        return msgspec.convert(given, GenerateRequest)
    except msgspec.ValidationError as error:
        raise invalid(field_error(str(error), GenerateRequest)) from error


async def poll_status(request: web.Request) -> web.StreamResponse:
    """The job's progress, or its audio when it has completed."""
    services = request.app[SERVICES]
    record = await services.jobs.find(request.match_info["session_id"], viewer_of(request))
    if record.status is JobStatus.COMPLETED:
        return await _send_audio(request, services, record)
    if record.status.is_terminal:
        return json_response(_outcome(record, error=record.error_message or record.message))
    return json_response(
        _outcome(record, progress=round(100 * record.progress), queue_status=_queue_status(services, record))
    )


def _outcome(record: JobRecord, **more: Any) -> dict[str, Any]:
    is_running = not record.status.is_terminal
    status = "failed" if record.status is JobStatus.CANCELLED else record.status.value
    return {
        "success": True,
        "status": status,
        "generation_in_progress": is_running,
        "transform_in_progress": False,
        **more,
    }


def _queue_status(services: Services, record: JobRecord) -> dict[str, Any]:
    """The plugin waits without complaint while this says "queued" or "warming"; otherwise it looks for progress."""
    if record.status is not JobStatus.QUEUED:
        return {"status": "ready", "message": record.message}
    if not services.workers.ready(record.recipe.model):
        return {"status": "warming", "message": "waiting for a worker to load the model"}
    view = services.views.of(record)
    seconds = round(view.eta_seconds or 0)
    return {
        "status": "queued",
        "message": record.message,
        "position": view.queue_position or 0,
        "estimated_seconds": seconds,
        "estimated_time": f"{seconds} s",
    }


async def _send_audio(request: web.Request, services: Services, record: JobRecord) -> web.StreamResponse:
    file = audio_file(record)
    if services.index.has_expired(record):
        raise audio_gone(record)
    head = msgspec.json.encode(_outcome(record, progress=100, generation_seed=str(record.recipe.seed)))
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    try:
        async with services.stored_files.opened(file.stored, range(file.stored.size)) as chunks:
            await send_chunks(request, services, record, response, _with_audio(head, chunks))
    except LostError as error:
        await record_loss(services, record, error)
        raise lost_file_problem(record, file.name) from error
    return response


async def _with_audio(head: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The JSON object `head` with one more member, the audio in base64, without ever holding the whole file."""
    rest = b""
    yield head[:-1] + b',"audio_data":"'
    async for chunk in chunks:
        data = rest + chunk
        whole = len(data) - len(data) % 3  # three bytes are four characters, without padding between chunks
        yield base64.b64encode(data[:whole])
        rest = data[whole:]
    yield base64.b64encode(rest) + b'"}'


async def prompts(request: web.Request) -> web.Response:
    """Prompts for the plugin's dice."""
    source = random.SystemRandom()
    # Without a tempo: the plugin appends that of its DAW.
    rolls = [replace(random_components("medium", source), tempo=None) for _ in range(DICE)]
    rolled = [build_prompt(each).structured_prompt for each in rolls]
    return json_response({"success": True, "prompts": {"dice": {"generic": rolled}}})


async def loras(request: web.Request) -> web.Response:
    """No fine-tuned variants: the plugin hides its list."""
    return json_response({"loras": []})


def _explained(handler: Handler) -> Handler:
    """Answer a refusal as the plugin reads it: with status 200 and the reason."""

    async def explained(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (Problem, UnavailableError) as refusal:
            reason = refusal.detail if isinstance(refusal, Problem) else str(refusal)
            return json_response({"success": False, "error": reason}, HTTPStatus.OK)

    return explained
