"""Every route of the gateway: one table, from which the router and /openapi.json are both made."""

from typing import Any

import msgspec
from aiohttp import web

from gateway.api import (
    CancelQuery,
    DownloadQuery,
    GenerateRequest,
    JobAccepted,
    JobList,
    JobsQuery,
    JobView,
    Message,
    RandomQuery,
    ServiceInfo,
    SocketQuery,
)
from gateway.handlers import download, generate, health, index, jobs, openapi, prompt
from gateway.middleware import Handler
from gateway.websocket import websocket
from shared.prompt import BuiltPrompt, PromptComponents, Vocabulary


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation.

    `answers` maps a status to the struct or the media type of its body, to a tuple of them where the client may choose,
    or to None without one. `is_open` is what needs no API key.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    answers: dict[int, Any]
    problems: tuple[int, ...] = ()
    headers: tuple[str, ...] = ()
    is_open: bool = False

    @property
    def all_problems(self) -> tuple[int, ...]:
        """`problems`, and those of the API keys."""
        return self.problems if self.is_open else tuple(sorted({*self.problems, 401, 429}))


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/v1/generate",
        handler=generate.generate,
        summary="Generate music from a prompt",
        body=GenerateRequest,
        answers={200: JobAccepted},
        problems=(400, 408, 413, 415, 422, 503),
        headers=("Idempotency-Key",),
    ),
    Route(
        method="GET",
        path="/api/v1/status/{job_id}",
        handler=jobs.status,
        summary="Where a job is",
        answers={200: JobView},
        problems=(404, 503),
    ),
    Route(
        method="GET",
        path="/api/v1/download/{job_id}",
        handler=download.download,
        summary="The audio of a finished job",
        query=DownloadQuery,
        answers={200: "audio/wav", 206: "audio/wav", 302: None, 304: None},
        problems=(404, 409, 410, 412, 416, 422, 503),
        headers=("Range", "If-Range", "If-None-Match", "If-Match"),
    ),
    Route(
        method="GET",
        path="/api/v1/download/{job_id}/{name}",
        handler=download.download_output,
        summary="The MIDI file of a finished job, or one of its stems: the status lists their names",
        query=DownloadQuery,
        answers={200: "audio/*", 206: "audio/*", 302: None, 304: None},
        problems=(404, 409, 410, 412, 416, 422, 503),
        headers=("Range", "If-Range", "If-None-Match", "If-Match"),
    ),
    Route(
        method="GET",
        path="/api/v1/jobs",
        handler=jobs.list_jobs,
        summary="All jobs, newest first",
        query=JobsQuery,
        answers={200: JobList},
        problems=(422,),
    ),
    Route(
        method="DELETE",
        path="/api/v1/jobs/{job_id}",
        handler=jobs.cancel,
        summary="Cancel a job; with keep=1, store what it has made until now",
        query=CancelQuery,
        answers={200: Message},
        problems=(404, 409, 422, 503),
    ),
    Route(
        method="POST",
        path="/api/v1/prompt/build",
        handler=prompt.build,
        summary="One sentence from the fields of a form",
        body=PromptComponents,
        answers={200: BuiltPrompt},
        problems=(400, 408, 413, 415, 422),
    ),
    Route(
        method="GET",
        path="/api/v1/prompt/random",
        handler=prompt.surprise,
        summary="A random prompt",
        query=RandomQuery,
        answers={200: BuiltPrompt},
        problems=(422,),
    ),
    Route(
        method="GET",
        path="/api/v1/prompt/vocabulary",
        handler=prompt.vocabulary,
        summary="Words for menus",
        answers={200: Vocabulary},
    ),
    Route(
        method="GET",
        path="/",
        handler=index.index,
        summary="A page for people; a description for Accept: application/json",
        answers={200: (ServiceInfo, "text/html"), 304: None},
        is_open=True,
    ),
    Route(
        method="GET",
        path="/health",
        handler=health.health,
        summary="Every part and its state",
        answers={200: health.HealthReport, 503: health.HealthReport},
    ),
    Route(
        method="GET",
        path="/health/ready",
        handler=health.ready,
        summary="Whether jobs are accepted",
        answers={200: health.Liveness},
        problems=(503,),
        is_open=True,
    ),
    Route(
        method="GET",
        path="/health/live",
        handler=health.live,
        summary="Whether the process answers",
        answers={200: health.Liveness},
        is_open=True,
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=health.metrics,
        summary="Numbers for Prometheus",
        answers={200: "text/plain"},
    ),
    Route(
        method="GET",
        path="/openapi.json",
        handler=openapi.document,
        summary="This description",
        answers={200: "application/json", 304: None},
        is_open=True,
    ),
    Route(
        method="GET",
        path="/ws",
        handler=websocket,
        summary="WebSocket: the events of jobs as JSON text frames, and their audio as binary frames",
        query=SocketQuery,
        answers={101: None},
        problems=(400, 403, 422, 426, 429, 503),
    ),
)


def add_routes(app: web.Application) -> None:
    """Give the application every route of the table."""
    for route in ROUTES:
        if route.method == "GET" and route.path != "/ws":
            app.router.add_get(route.path, route.handler)  # answers HEAD too
        else:
            app.router.add_route(route.method, route.path, route.handler)
