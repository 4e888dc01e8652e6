"""GET /, for people and for programs."""

import pytest

from gateway.http.handlers.pages import ENDPOINTS
from gateway.http.routes import ROUTES
from tests.unit.gateway.conftest import Api


async def test_a_program_gets_a_description(api: Api) -> None:
    async with api.get("/", headers={"Accept": "application/json"}) as response:
        body = await response.json()
    assert set(body) == {"service", "version", "status", "endpoints"}
    assert body["status"] == "waiting for NATS"


@pytest.mark.parametrize("accept", ["text/html,application/xhtml+xml,*/*;q=0.8", "*/*"])
async def test_a_browser_gets_a_page_that_may_load_nothing_from_elsewhere(api: Api, accept: str) -> None:
    async with api.get("/", headers={"Accept": accept}) as response:
        assert response.content_type == "text/html"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "<html" in await response.text()


def test_every_endpoint_of_the_description_is_a_route() -> None:
    routes = {f"{route.method} {route.path}" for route in ROUTES} | {"/ws"}
    assert set(ENDPOINTS.values()) <= routes
