"""CORS and the origins of WebSockets."""

import aiohttp
import pytest

from gateway.services import Services
from shared.settings import load_settings
from tests.unit.gateway.conftest import KEYS, Api
from tests.unit.gateway.samples import DAW, bearer

LISTED = "https://app.example.com"
OTHERS = [
    "https://evil.example",
    "null",
    "http://app.example.com",
    "https://app.example.com:8443",
    f"{LISTED}.evil",
    "",
    "http://[",
    "http://\udcff",
]
ASKING = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


@pytest.fixture
def shared_with(services: Services, keyed: Api) -> Api:
    services.settings = load_settings(KEYS | {"CORS_ORIGINS": f"http://localhost:3000, {LISTED}"})
    return keyed


@pytest.mark.parametrize("origin", [LISTED, "http://localhost:3000"])
async def test_an_allowed_origin_gets_a_preflight_response_without_a_key(shared_with: Api, origin: str) -> None:
    async with shared_with.options("/api/v1/generate", headers={"Origin": origin, **ASKING}) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        for name in (
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "Range",
            "If-Range",
            "If-None-Match",
            "If-Match",
        ):
            assert name in response.headers["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in response.headers
    async with shared_with.get("/api/v1/jobs", headers={"Origin": origin, **bearer(DAW)}) as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize(("path", "status"), [("/api/v1/jobs", 401), ("/health/ready", 503)])
async def test_an_allowed_origin_can_read_errors(shared_with: Api, path: str, status: int) -> None:
    async with shared_with.get(path, headers={"Origin": LISTED}) as response:
        assert response.status == status
        assert response.headers["Access-Control-Allow-Origin"] == LISTED
        assert "Retry-After" in response.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("origin", OTHERS)
async def test_other_origins_get_no_cors_headers(shared_with: Api, origin: str) -> None:
    async with shared_with.options("/api/v1/generate", headers={"Origin": origin, **ASKING}) as response:
        assert response.status == 401
        assert "Access-Control-Allow-Origin" not in response.headers
    async with shared_with.get("/api/v1/jobs", headers={"Origin": origin, **bearer(DAW)}) as response:
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["Vary"] == "Origin"  # a cache must not serve this response to an allowed origin


async def test_no_origin_is_allowed_by_default(api: Api) -> None:
    async with api.options("/api/v1/generate", headers={"Origin": LISTED, **ASKING}) as response:
        assert response.status == 405
    async with api.get("/health/live", headers={"Origin": LISTED}) as response:
        assert not {"Access-Control-Allow-Origin", "Vary"} & set(response.headers)


@pytest.mark.parametrize(("origin", "status"), [(LISTED, 101), *((origin, 403) for origin in OTHERS)])
async def test_a_websocket_accepts_allowed_origins_and_its_own(shared_with: Api, origin: str, status: int) -> None:
    own = str(shared_with.make_url("")).rstrip("/")
    async with shared_with.ws_connect("/ws", headers={"Origin": own, **bearer(DAW)}) as socket:
        assert not socket.closed
    try:
        await (await shared_with.ws_connect("/ws", headers={"Origin": origin, **bearer(DAW)})).close()
        found = 101
    except aiohttp.WSServerHandshakeError as refused:
        found = refused.status
    assert found == status
