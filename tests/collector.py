"""A collector of traces on loopback: reads OTLP over HTTP as its definition in protobuf says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """What has arrived.

    Attributes:
        spans: by the name of the service.
        environment: of processes that send their spans here.
    """

    def __init__(self) -> None:
        self.spans: dict[str, list[Span]] = {}
        self.environment: dict[str, str] = {}

    async def take(self, request: web.Request) -> web.Response:
        for part in ExportTraceServiceRequest.FromString(await request.read()).resource_spans:
            names = {each.key: each.value.string_value for each in part.resource.attributes}
            found = self.spans.setdefault(names["service.name"], [])
            found += [span for scope in part.scope_spans for span in scope.spans]
        body = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=body, content_type="application/x-protobuf")

    def named(self, service: str, name: str) -> list[Span]:
        return [span for span in self.spans.get(service, []) if span.name == name]


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    async with TestServer(app) as server:
        collector.environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": str(server.make_url("")),
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }
        yield collector
