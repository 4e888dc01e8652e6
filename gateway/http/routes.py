"""The route table. The router, /openapi.json and the endpoints of GET / are generated from it."""

import msgspec
from aiohttp import web

from gateway.http.handlers import (
    bundle,
    downloads,
    edits,
    event_stream,
    generate,
    job_status,
    prompts,
)
from gateway.http.middleware import Handler
from gateway.http.route import Route
from gateway.http.service_routes import SERVICE_ROUTES
from gateway.http.upload_routes import UPLOAD_ROUTES
from gateway.http.webhook_routes import WEBHOOK_ROUTES
from gateway.http.websocket import websocket
from gateway.jobs.edit_requests import ChildAccepted, ExtendRequest, Lineage, ReplaceRequest, VaryRequest
from gateway.prompts import BuiltPrompt, ParsedPrompt, PromptComponents, Vocabulary
from gateway.schemas import (
    CancelQuery,
    DownloadQuery,
    GenerateRequest,
    JobAccepted,
    JobList,
    JobsQuery,
    JobView,
    Message,
    ParseRequest,
    RandomQuery,
    SocketQuery,
    WaveformPeaks,
)

AUDIO_TYPES = ("audio/wav", "audio/flac", "audio/ogg", "audio/mpeg")
FILE_TYPES = (*AUDIO_TYPES, "audio/midi", WaveformPeaks, "image/svg+xml", "application/vnd.dawproject")
SUBMISSION_HEADERS = ("Idempotency-Key", "Prefer", "Cancel-After")


def _edit_route(name: str, handler: Handler, body: type[msgspec.Struct], summary: str) -> Route:
    """A route that makes a take of another one."""
    return Route(
        method="POST",
        path=f"/api/v1/jobs/{{job_id}}/{name}",
        handler=handler,
        operation_id=f"jobs_{name}",
        endpoint=name,
        summary=summary,
        description=(
            "All else stays: every note of a take with a score, every sample of another. 409 until the take has "
            "completed; 422 for what its model cannot do."
        ),
        body=body,
        responses={200: ChildAccepted},
        problems=(400, 404, 408, 409, 413, 415, 422, 503),
        headers=SUBMISSION_HEADERS,
    )


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/v1/generate",
        handler=generate.generate,
        operation_id="generate_generate",
        endpoint="generate",
        summary="Generate music from a prompt",
        description=(
            "The answer is immediate, and from then on the job is safe. Give `prompt`, `components` or `score`. "
            "`variations` makes several jobs, accepted together or not at all. With Prefer: wait, the answer comes "
            "when they have ended, or when the time is up, and is a whole `JobView`."
        ),
        body=GenerateRequest,
        responses={200: JobAccepted},
        problems=(400, 404, 408, 409, 413, 415, 422, 503),
        headers=SUBMISSION_HEADERS,
    ),
    Route(
        method="GET",
        path="/api/v1/status/{job_id}",
        handler=job_status.status,
        operation_id="jobs_status",
        endpoint="status",
        summary="Get the status of a job",
        description="Poll as often as you like: it is answered from memory. The last three statuses never change.",
        responses={200: JobView, 304: None},
        problems=(404, 503),
        headers=("If-None-Match",),
    ),
    Route(
        method="GET",
        path="/api/v1/jobs/{job_id}/events",
        handler=event_stream.events,
        operation_id="jobs_events",
        endpoint="events",
        summary="Follow a job: its events as Server-Sent Events",
        description=(
            "First the present state, then every event up to the last one. The `data` of each is an `Event`, its `id` "
            "the `seq`. With Last-Event-ID, first the lifecycle events since then; 204 if there will be none."
        ),
        responses={200: event_stream.EVENT_STREAM, 204: None},
        problems=(404, 422, 503),
        headers=("Last-Event-ID",),
    ),
    Route(
        method="GET",
        path="/api/v1/download/{job_id}",
        handler=downloads.download,
        operation_id="download_download",
        endpoint="download",
        summary="Download the audio of a finished job",
        description=(
            "A redirect to the store, or with proxy=1 the bytes. 409 until the job has finished; 410 with its recipe "
            "once the audio has expired."
        ),
        query=DownloadQuery,
        responses={200: AUDIO_TYPES, 206: AUDIO_TYPES, 302: None, 304: None},
        problems=(404, 409, 410, 412, 416, 422, 503),
        headers=("Range", "If-Range", "If-None-Match", "If-Match"),
    ),
    Route(
        method="GET",
        path="/api/v1/download/{job_id}/bundle.zip",
        handler=bundle.bundle,
        operation_id="download_bundle",
        endpoint="bundle",
        summary="Download all files of a finished job in one folder: audio, outputs and recipe",
        description="The gateway sends the archive itself. Two downloads of the same job are equal, byte for byte.",
        responses={200: "application/zip", 304: None},
        problems=(404, 409, 410, 412, 503),
        headers=("If-None-Match", "If-Match"),
    ),
    Route(
        method="GET",
        path="/api/v1/download/{job_id}/{name}",
        handler=downloads.download_output,
        operation_id="download_download_output",
        endpoint="output",
        summary="Download another file of a finished job: MIDI, a stem, the waveform's peaks or picture",
        description=(
            "`outputs` and `peaks_url` of the status have the paths. A redirect to the store, or with proxy=1 the "
            "bytes."
        ),
        query=DownloadQuery,
        responses={200: FILE_TYPES, 206: FILE_TYPES, 302: None, 304: None},
        problems=(404, 409, 410, 412, 416, 422, 503),
        headers=("Range", "If-Range", "If-None-Match", "If-Match"),
    ),
    Route(
        method="DELETE",
        path="/api/v1/jobs/{job_id}",
        handler=job_status.cancel,
        operation_id="jobs_cancel",
        endpoint="cancel",
        summary="Cancel a job; with keep=1, store the audio generated so far; with takes=1, cancel all takes",
        description=(
            "The slot of a running job is free within a second. 409 for a finished job; a repeated cancel succeeds."
        ),
        query=CancelQuery,
        responses={200: Message},
        problems=(404, 409, 422, 503),
    ),
    Route(
        method="GET",
        path="/api/v1/jobs",
        handler=job_status.list_jobs,
        operation_id="jobs_list_jobs",
        endpoint="jobs",
        summary="List jobs, newest first",
        description="`next_cursor` fetches the next page. With API keys, the list has the jobs of the request's key.",
        query=JobsQuery,
        responses={200: JobList},
        problems=(422,),
    ),
    _edit_route("vary", edits.vary, VaryRequest, "Make a variation of a take: compose a share of it again"),
    _edit_route("extend", edits.extend, ExtendRequest, "Extend a take by bars or seconds, at the end or in front"),
    _edit_route("replace", edits.replace, ReplaceRequest, "Replace a part of a take, of all or of some instruments"),
    Route(
        method="GET",
        path="/api/v1/jobs/{job_id}/lineage",
        handler=edits.lineage,
        operation_id="jobs_lineage",
        endpoint="lineage",
        summary="List all takes that come from the same one",
        description="`parent` makes a tree of the list. At most 1000 are listed.",
        responses={200: Lineage},
        problems=(404, 503),
    ),
    Route(
        method="POST",
        path="/api/v1/prompt/build",
        handler=prompts.build,
        operation_id="prompt_build",
        endpoint="build_prompt",
        summary="Build a prompt from its components",
        description="At least one field is needed. Empty texts and lists count as absent.",
        body=PromptComponents,
        responses={200: BuiltPrompt},
        problems=(400, 408, 413, 415, 422),
    ),
    Route(
        method="POST",
        path="/api/v1/prompt/parse",
        handler=prompts.parse,
        operation_id="prompt_parse",
        endpoint="parse_prompt",
        summary="Read a prompt into components for the prompt builder",
        description=(
            "The components build a prompt that reads as this one does. Words that no model can follow are `ignored`."
        ),
        body=ParseRequest,
        responses={200: ParsedPrompt},
        problems=(400, 408, 413, 415, 422),
    ),
    Route(
        method="GET",
        path="/api/v1/prompt/random",
        handler=prompts.random_prompt,
        operation_id="prompt_surprise",
        endpoint="random_prompt",
        summary="Get a random prompt",
        description="A sentence of words that go together, and its parts.",
        query=RandomQuery,
        responses={200: BuiltPrompt},
        problems=(422,),
    ),
    Route(
        method="GET",
        path="/api/v1/prompt/vocabulary",
        handler=prompts.vocabulary,
        operation_id="prompt_vocabulary",
        endpoint="vocabulary",
        summary="Get the vocabulary of the prompt builder",
        description="Words for menus. Prompts may use other words.",
        responses={200: Vocabulary},
    ),
    Route(
        method="GET",
        path="/ws",
        handler=websocket,
        operation_id="websocket_websocket",
        endpoint="websocket",
        summary="WebSocket: events of jobs as JSON text frames, live audio as binary frames",
        description=(
            "The client sends `ClientMessage`, the gateway `ServerMessage` and live audio: the length of its header "
            "in four bytes (little-endian), an `AudioChunk` as JSON, and interleaved float32 samples."
        ),
        query=SocketQuery,
        responses={101: None},
        problems=(400, 403, 422, 426, 429, 503),
    ),
    *WEBHOOK_ROUTES,
    *SERVICE_ROUTES,
    *UPLOAD_ROUTES,
)


def list_endpoints() -> dict[str, str]:
    """The `endpoints` of GET /: names mapped to method and path; the WebSocket to its path alone."""
    return {
        route.endpoint: route.path if route.is_websocket else f"{route.method} {route.path}"
        for route in ROUTES
        if route.endpoint is not None
    }


def add_routes(app: web.Application) -> None:
    """Register all routes with the application."""
    for route in ROUTES:
        if route.method == "GET" and not (route.is_websocket or route.is_stream):
            app.router.add_get(route.path, route.handler)  # also registers HEAD
        else:
            app.router.add_route(route.method, route.path, route.handler)
