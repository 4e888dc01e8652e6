"""GET /: the page and the JSON description."""

import re

import pytest
from msgspec.structs import replace

from gateway.services import SERVICES
from tests.unit.gateway.conftest import Api


async def test_accept_json_returns_the_description(api: Api) -> None:
    async with api.get("/", headers={"Accept": "application/json"}) as response:
        body = await response.json()
    assert set(body) == {"service", "version", "status", "endpoints"}
    assert body["status"] == "waiting for NATS"


@pytest.mark.parametrize("accept", ["text/html,application/xhtml+xml,*/*;q=0.8", "*/*"])
async def test_a_browser_gets_the_page_with_a_strict_policy(api: Api, accept: str) -> None:
    async with api.get("/", headers={"Accept": accept}) as response:
        assert response.content_type == "text/html"
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert 'data-max-duration="120"' in await response.text()


async def test_the_page_tells_the_longest_duration(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = api.app[SERVICES].settings
    monkeypatch.setattr(api.app[SERVICES], "settings", replace(settings, max_duration=45.0))
    async with api.get("/") as response:
        assert 'data-max-duration="45"' in await response.text()


async def test_the_description_lists_the_endpoints(api: Api) -> None:
    """Clients read this object: only add entries."""
    async with api.get("/", headers={"Accept": "application/json"}) as response:
        endpoints = (await response.json())["endpoints"]
    assert list(endpoints.items()) == [
        ("generate", "POST /api/v1/generate"),
        ("status", "GET /api/v1/status/{job_id}"),
        ("events", "GET /api/v1/jobs/{job_id}/events"),
        ("download", "GET /api/v1/download/{job_id}"),
        ("bundle", "GET /api/v1/download/{job_id}/bundle.zip"),
        ("output", "GET /api/v1/download/{job_id}/{name}"),
        ("cancel", "DELETE /api/v1/jobs/{job_id}"),
        ("jobs", "GET /api/v1/jobs"),
        ("vary", "POST /api/v1/jobs/{job_id}/vary"),
        ("extend", "POST /api/v1/jobs/{job_id}/extend"),
        ("replace", "POST /api/v1/jobs/{job_id}/replace"),
        ("lineage", "GET /api/v1/jobs/{job_id}/lineage"),
        ("build_prompt", "POST /api/v1/prompt/build"),
        ("parse_prompt", "POST /api/v1/prompt/parse"),
        ("random_prompt", "GET /api/v1/prompt/random"),
        ("vocabulary", "GET /api/v1/prompt/vocabulary"),
        ("websocket", "/ws"),
        ("deliveries", "GET /api/v1/webhooks/deliveries"),
        ("send_again", "POST /api/v1/webhooks/deliveries"),
        ("docs", "GET /docs"),
        ("models", "GET /api/v1/models"),
        ("health", "GET /health"),
        ("metrics", "GET /metrics"),
        ("openapi", "GET /openapi.json"),
        ("asyncapi", "GET /asyncapi.json"),
        ("upload", "POST /api/v1/audio"),
        ("uploaded", "GET /api/v1/audio/{audio_id}"),
        ("delete_upload", "DELETE /api/v1/audio/{audio_id}"),
    ]


async def test_the_reference_has_no_inline_code_and_no_code_of_others(api: Api) -> None:
    async with api.get("/docs") as response:
        text, policy = await response.text(), response.headers["Content-Security-Policy"]
        assert response.content_type == "text/html"
    assert "default-src 'none'; script-src 'self';" in policy
    assert re.findall(r"<script[^>]*>[^<]", text) == []
    assert re.findall(r'(?:src|href)="(?:https?:)?//', text) == []
    for name in re.findall(r'"(/assets/[^"]+)"', text):
        async with api.get(name) as response:
            assert response.status == 200
    async with api.get("/assets/rapidoc.txt") as response:
        assert "MIT License" in await response.text()
