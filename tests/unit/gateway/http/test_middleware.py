"""Request ids, trace contexts, metrics and errors."""

import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.http.middleware import TRACEPARENT, child_of, new_traceparent, problem_middleware, request_context
from shared.errors import UnavailableError
from tests.unit.gateway.conftest import Api

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
TRACEPARENT_FORMAT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


async def bug(request: web.Request) -> web.Response:
    raise RuntimeError("the password is hunter2")


async def away(request: web.Request) -> web.Response:
    raise UnavailableError("S3 is away.")


async def trace(request: web.Request) -> web.Response:
    return web.Response(text=request[TRACEPARENT])


async def elsewhere(request: web.Request) -> web.Response:
    raise web.HTTPFound("/trace")


@pytest.fixture
async def client() -> AsyncIterator[Api]:
    app = web.Application(middlewares=[request_context, problem_middleware])
    for handler in (bug, away, trace, elsewhere):
        app.router.add_get(f"/{handler.__name__}", handler)
    async with TestClient(TestServer(app)) as found:
        yield found


async def test_an_unexpected_exception_is_a_500_without_its_text(client: Api) -> None:
    async with client.get("/bug", headers={"X-Request-ID": "r-1"}) as response:
        assert response.status == 500
        assert response.content_type == "application/problem+json"
        text = await response.text()
        assert "hunter2" not in text
        assert "RuntimeError" not in text
        assert (await response.json())["request_id"] == "r-1"


async def test_an_outage_is_a_503_with_retry_after(client: Api) -> None:
    async with client.get("/away") as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "2"
        assert (await response.json())["detail"] == "S3 is away."


async def test_a_redirect_passes_through(client: Api) -> None:
    async with client.get("/elsewhere", allow_redirects=False) as response:
        assert response.status == 302


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/status", "/api/v1/status/a/b", "/%ff", "/" + "x" * 5000])
async def test_an_unknown_path_is_a_404_that_names_the_openapi_document(api: Api, path: str) -> None:
    async with api.get(path) as response:
        assert response.status == 404
        assert response.content_type == "application/problem+json"
        body = await response.json()
        assert (body["title"], body["status"]) == ("Not Found", 404)
        assert "/openapi.json" in body["detail"]
        assert len(body["detail"]) < 300


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/api/v1/generate", "POST"), ("PUT", "/api/v1/jobs", "GET"), ("GET", "/api/v1/jobs/gen_1", "DELETE")],
)
async def test_a_wrong_method_is_a_405_with_the_allowed_ones(api: Api, method: str, path: str, allowed: str) -> None:
    async with api.request(method, path) as response:
        assert response.status == 405
        assert allowed in response.headers["Allow"]
        assert allowed in (await response.json())["detail"]


@pytest.mark.parametrize("given", ["r-1", "A.b:c_d-9", "x" * 128])
async def test_a_valid_request_id_is_returned(api: Api, given: str) -> None:
    async with api.get("/health/live", headers={"X-Request-ID": given}) as response:
        assert response.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 129, "<script>", "ä"])
async def test_an_invalid_request_id_is_replaced(api: Api, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given}
    async with api.get("/nothing", headers=headers) as response:
        request_id = response.headers["X-Request-ID"]
        assert re.fullmatch("[0-9a-f]{16}", request_id)
        assert (await response.json())["request_id"] == request_id


async def test_every_response_forbids_content_sniffing(api: Api) -> None:
    for path in ("/health/live", "/nothing"):
        async with api.get(path) as response:
            assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_trace_continues_with_a_new_span(client: Api) -> None:
    async with client.get("/trace", headers={"traceparent": TRACE}) as response:
        own = await response.text()
    assert own.split("-")[1] == TRACE.split("-")[1]
    assert own.split("-")[2] != TRACE.split("-")[2]


async def test_requests_are_counted_by_route_pattern(api: Api) -> None:
    async with api.get("/api/v1/status/gen_123456789abc"), api.get("/metrics") as response:
        text = await response.text()
    assert 'route="/api/v1/status/{job_id}"' in text
    assert "gen_123456789abc" not in text


def test_a_new_trace_is_sampled_and_well_formed() -> None:
    found = new_traceparent()
    assert TRACEPARENT_FORMAT.fullmatch(found)
    assert found.endswith("-01")
    assert new_traceparent() != found


def test_a_child_keeps_trace_id_and_flags_and_has_a_new_span_id() -> None:
    version, trace_id, span, flags = child_of(TRACE).split("-")
    assert f"{version}-{trace_id}-{flags}" == "00-4bf92f3577b34da6a3ce929d0e0e4736-00"
    assert span != "00f067aa0ba902b7"
    assert TRACEPARENT_FORMAT.fullmatch(child_of(TRACE))


@pytest.mark.parametrize(
    "malformed",
    [
        None,
        "",
        "nonsense",
        TRACE.upper(),
        TRACE[:-1],
        f"{TRACE}-extra",
        "ff" + TRACE[2:],
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
    ],
)
def test_a_malformed_traceparent_starts_a_new_trace(malformed: str | None) -> None:
    found = child_of(malformed)
    assert TRACEPARENT_FORMAT.fullmatch(found)
    assert "4bf92f3577b34da6a3ce929d0e0e4736" not in found
