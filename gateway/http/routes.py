"""Every route of the gateway: one table, from which the router and /openapi.json are both made."""

from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from gateway.http.handlers import downloads, generate, health, job_status, pages, prompts
from gateway.http.middleware import Handler
from gateway.http.websocket import websocket
from gateway.prompts import BuiltPrompt, PromptComponents, Vocabulary
from gateway.schemas import (
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


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One operation.

    `operation_id` names the operation in /openapi.json, and so the methods of generated clients: it never changes.
    `endpoint` is its key in the `endpoints` of GET /, or None to leave it out.
    `responses` maps a status to the struct or the media type of its body, to a tuple of them where the client may
    choose, or to None without one. `is_public` is what needs no API key.
    """

    method: str
    path: str
    handler: Handler
    operation_id: str
    endpoint: str | None = None
    summary: str
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    responses: dict[int, Any]
    problems: tuple[int, ...] = ()
    headers: tuple[str, ...] = ()
    is_public: bool = False

    @property
    def is_websocket(self) -> bool:
        return HTTPStatus.SWITCHING_PROTOCOLS in self.responses

    @property
    def all_problems(self) -> tuple[int, ...]:
        """`problems`, and those of the API keys."""
        return self.problems if self.is_public else tuple(sorted({*self.problems, 401, 429}))


ROUTES: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/v1/generate",
        handler=generate.generate,
        operation_id="generate_generate",
        endpoint="generate",
        summary="Generate music from a prompt",
        body=GenerateRequest,
        responses={200: JobAccepted},
        problems=(400, 408, 413, 415, 422, 503),
        headers=("Idempotency-Key",),
    ),
    Route(
        method="GET",
        path="/api/v1/status/{job_id}",
        handler=job_status.status,
        operation_id="jobs_status",
        endpoint="status",
        summary="Where a job is",
        responses={200: JobView},
        problems=(404, 503),
    ),
    Route(
        method="GET",
        path="/api/v1/download/{job_id}",
        handler=downloads.download,
        operation_id="download_download",
        endpoint="download",
        summary="The audio of a finished job",
        query=DownloadQuery,
        responses={200: "audio/wav", 206: "audio/wav", 302: None, 304: None},
        problems=(404, 409, 410, 412, 416, 422, 503),
        headers=("Range", "If-Range", "If-None-Match", "If-Match"),
    ),
    Route(
        method="GET",
        path="/api/v1/download/{job_id}/{name}",
        handler=downloads.download_output,
        operation_id="download_download_output",
        endpoint="output",
        summary="The MIDI file of a finished job, or one of its stems: the status lists their names",
        query=DownloadQuery,
        responses={200: "audio/*", 206: "audio/*", 302: None, 304: None},
        problems=(404, 409, 410, 412, 416, 422, 503),
        headers=("Range", "If-Range", "If-None-Match", "If-Match"),
    ),
    Route(
        method="DELETE",
        path="/api/v1/jobs/{job_id}",
        handler=job_status.cancel,
        operation_id="jobs_cancel",
        endpoint="cancel",
        summary="Cancel a job; with keep=1, store what it has made until now",
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
        summary="All jobs, newest first",
        query=JobsQuery,
        responses={200: JobList},
        problems=(422,),
    ),
    Route(
        method="POST",
        path="/api/v1/prompt/build",
        handler=prompts.build,
        operation_id="prompt_build",
        endpoint="build_prompt",
        summary="One sentence from the fields of a form",
        body=PromptComponents,
        responses={200: BuiltPrompt},
        problems=(400, 408, 413, 415, 422),
    ),
    Route(
        method="GET",
        path="/api/v1/prompt/random",
        handler=prompts.random_prompt,
        operation_id="prompt_surprise",
        endpoint="random_prompt",
        summary="A random prompt",
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
        summary="Words for menus",
        responses={200: Vocabulary},
    ),
    Route(
        method="GET",
        path="/ws",
        handler=websocket,
        operation_id="websocket_websocket",
        endpoint="websocket",
        summary="WebSocket: the events of jobs as JSON text frames, and their audio as binary frames",
        query=SocketQuery,
        responses={101: None},
        problems=(400, 403, 422, 426, 429, 503),
    ),
    Route(
        method="GET",
        path="/",
        handler=pages.index,
        operation_id="index_index",
        summary="A page for people; a description for Accept: application/json",
        responses={200: (ServiceInfo, "text/html"), 304: None},
        is_public=True,
    ),
    Route(
        method="GET",
        path="/health",
        handler=health.health,
        operation_id="health_health",
        endpoint="health",
        summary="Every part and its state",
        responses={200: health.HealthReport, 503: health.HealthReport},
    ),
    Route(
        method="GET",
        path="/health/ready",
        handler=health.ready,
        operation_id="health_ready",
        summary="Whether jobs are accepted",
        responses={200: health.Liveness},
        problems=(503,),
        is_public=True,
    ),
    Route(
        method="GET",
        path="/health/live",
        handler=health.live,
        operation_id="health_live",
        summary="Whether the process answers",
        responses={200: health.Liveness},
        is_public=True,
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=health.metrics,
        operation_id="health_metrics",
        endpoint="metrics",
        summary="Numbers for Prometheus",
        responses={200: "text/plain"},
    ),
    Route(
        method="GET",
        path="/openapi.json",
        handler=pages.openapi_document,
        operation_id="openapi_document",
        endpoint="openapi",
        summary="This description",
        responses={200: "application/json", 304: None},
        is_public=True,
    ),
)


def list_endpoints() -> dict[str, str]:
    """The `endpoints` of GET /: name to method and path, or to the path alone for the WebSocket."""
    return {
        route.endpoint: route.path if route.is_websocket else f"{route.method} {route.path}"
        for route in ROUTES
        if route.endpoint is not None
    }


def add_routes(app: web.Application) -> None:
    """Give the application every route of the table."""
    for route in ROUTES:
        if route.method == "GET" and not route.is_websocket:
            app.router.add_get(route.path, route.handler)  # answers HEAD too
        else:
            app.router.add_route(route.method, route.path, route.handler)
