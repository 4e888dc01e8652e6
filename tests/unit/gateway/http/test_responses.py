"""Cache control and entity tags."""

import pytest
from yarl import URL

from gateway.http.routes import ROUTES
from gateway.services import Services
from tests.unit.gateway.conftest import Api
from tests.unit.gateway.samples import completed, entry, job_id, record


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/status/gen_1", 404),
        ("GET", "/api/v1/jobs", 200),
        ("GET", "/api/v1/jobs?limit=0", 422),
        ("DELETE", f"/api/v1/jobs/{job_id(1)}", 503),
        ("POST", "/api/v1/generate", 415),
        ("GET", "/api/v1/prompt/random", 200),
        ("GET", f"/api/v1/download/{job_id(1)}", 409),
        ("HEAD", f"/api/v1/download/{job_id(2)}", 503),
        ("GET", "/health", 503),
        ("GET", "/health/ready", 503),
        ("GET", "/health/live", 200),
        ("GET", "/metrics", 200),
        ("GET", "/nothing", 404),
        ("PUT", "/api/v1/jobs", 405),
    ],
)
async def test_responses_with_state_forbid_caching(
    api: Api, services: Services, method: str, path: str, status: int
) -> None:
    services.index.apply(entry(record(1)))
    services.index.apply(entry(completed(2)))
    async with api.request(method, path) as response:
        assert (response.status, response.headers.getall("Cache-Control")) == (status, ["no-store"])


@pytest.mark.parametrize("path", ["/", "/openapi.json"])
async def test_static_responses_are_revalidated_by_etag(api: Api, path: str) -> None:
    async with api.get(path) as response:
        assert response.headers["Cache-Control"] == "private, no-cache"
        tag, size = response.headers["ETag"], len(await response.read())
    assert size > 1000
    for known in (tag, f'W/{tag}, "other"', "*"):
        async with api.get(path, headers={"If-None-Match": known}) as response:
            assert (response.status, await response.read(), response.headers["ETag"]) == (304, b"", tag)
    for other in ('"other"', tag.strip('"'), ""):
        async with api.get(path, headers={"If-None-Match": other}) as response:
            assert (response.status, len(await response.read())) == (200, size)


async def test_the_page_and_the_description_vary_by_accept(api: Api, services: Services) -> None:
    for accept in ("text/html", "application/json"):
        async with api.get(URL("/"), headers={"Accept": accept}) as response:
            assert "Accept" in response.headers["Vary"].split(", ")
    async with api.get("/", headers={"Accept": "application/json"}) as response:
        assert response.headers["Cache-Control"] == "no-store"


async def test_an_unchanged_status_is_a_304_and_a_changed_one_is_not(api: Api, services: Services) -> None:
    services.index.apply(entry(record(1), 1))
    path = f"/api/v1/status/{job_id(1)}"
    async with api.get(path) as first:
        tag = first.headers["ETag"]
        assert first.headers["Cache-Control"] == "private, no-cache"
    for given in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        async with api.get(path, headers={"If-None-Match": given}) as same:
            assert (same.status, await same.read(), same.headers["ETag"]) == (304, b"", tag)
    services.index.apply(entry(completed(1), 2))
    async with api.get(path, headers={"If-None-Match": tag}) as changed:
        assert changed.status == 200
        assert (await changed.json())["status"] == "completed"
        assert changed.headers["ETag"] != tag


async def test_an_unchanged_document_is_a_304(api: Api) -> None:
    async with api.get("/openapi.json") as first:
        tag = first.headers["ETag"]
    async with api.get("/openapi.json", headers={"If-None-Match": tag}) as same:
        assert same.status == 304


@pytest.mark.parametrize("path", [route.path for route in ROUTES if route.method == "GET" and "{" not in route.path])
async def test_parameters_that_caches_add_and_foreign_accept_headers_change_nothing(api: Api, path: str) -> None:
    async with api.get(path) as plain, api.get(f"{path}?_=17&utm_source=x", headers={"Accept": "image/png"}) as other:
        assert (plain.status, plain.content_type) == (other.status, other.content_type)
