"""Authentication by API key."""

import logging
from contextlib import suppress

import aiohttp
import pytest

from gateway.http.authentication import KEY_SUBPROTOCOL, SUBPROTOCOL
from gateway.http.route import Route
from gateway.http.routes import ROUTES
from gateway.services import Services
from tests.unit.gateway.conftest import Api
from tests.unit.gateway.samples import DAW, WEB, bearer, entry, job_id, record

OPEN = {"/", "/assets/{asset}", "/health/live", "/health/ready", "/openapi.json", "/asyncapi.json", "/docs"}


def test_public_paths_match_the_documentation() -> None:
    assert {route.path for route in ROUTES if route.is_public} == OPEN


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_all_other_routes_require_a_key(keyed: Api, route: Route) -> None:
    path = route.path.format(job_id="gen_000000000000", name="audio.mid", asset="studio.js", audio_id="aud_0")
    async with keyed.request(route.method, path) as response:
        assert (response.status == 401) == (route.path not in OPEN)
        if response.status == 401:
            assert response.content_type == "application/problem+json"
            assert response.headers["WWW-Authenticate"] == 'Bearer realm="musicgen"'
            assert "Authorization: Bearer KEY" in (await response.json())["detail"]
    async with keyed.request(route.method, path, headers=bearer(DAW)) as response:
        assert response.status != 401


async def test_a_gateway_without_keys_ignores_credentials(api: Api) -> None:
    for headers in ({}, bearer(DAW)):
        async with api.get("/api/v1/jobs", headers=headers) as response:
            assert response.status == 200


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/jobs/", "/health/live/"])
async def test_an_unknown_path_is_a_401_without_a_key(keyed: Api, path: str) -> None:
    async with keyed.get(path) as response:
        assert response.status == 401
    async with keyed.get(path, headers=bearer(DAW)) as response:
        assert response.status == 404


@pytest.mark.parametrize("header", [f"Bearer {DAW}", f"bearer {DAW}", f"BEARER  {WEB} "])
async def test_the_bearer_scheme_is_case_insensitive(keyed: Api, header: str) -> None:
    async with keyed.get("/api/v1/jobs", headers={"Authorization": header}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "header", [f"Bearer {DAW[1:]}", f"Bearer {DAW}x", f"Bearer {DAW},{WEB}", "Bearer \u00e9", "Bearer " + "x" * 5000]
)
async def test_an_unknown_key_is_an_invalid_token(keyed: Api, header: str) -> None:
    async with keyed.get("/api/v1/jobs", headers={"Authorization": header}) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].endswith('error="invalid_token"')


@pytest.mark.parametrize("header", [DAW, f"Basic {DAW}", "Bearer", "Bearer ", ""])
async def test_other_credentials_get_a_bearer_challenge(keyed: Api, header: str) -> None:
    async with keyed.get("/api/v1/jobs", headers={"Authorization": header}) as response:
        assert response.status == 401
        assert "error=" not in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("name", ["key", "api_key", "access_token", "token"])
async def test_a_key_in_the_url_is_ignored(keyed: Api, name: str) -> None:
    async with keyed.get("/api/v1/jobs", params={name: DAW}) as response:
        assert response.status == 401


async def test_a_websocket_accepts_the_key_in_the_header(keyed: Api) -> None:
    async with keyed.ws_connect("/ws", headers=bearer(DAW)) as socket:
        await socket.send_str('{"type": "ping"}')
        assert await socket.receive_json(timeout=2) == {"type": "pong"}


async def test_a_websocket_accepts_the_key_in_a_subprotocol_but_never_echoes_it(keyed: Api) -> None:
    async with keyed.ws_connect("/ws", protocols=(SUBPROTOCOL, KEY_SUBPROTOCOL + DAW)) as socket:
        assert socket.protocol == SUBPROTOCOL
        await socket.send_str('{"type": "ping"}')
        assert await socket.receive_json(timeout=2) == {"type": "pong"}


@pytest.mark.parametrize(
    ("protocols", "status"),
    [
        ((), 401),
        ((SUBPROTOCOL,), 401),
        ((SUBPROTOCOL, KEY_SUBPROTOCOL + DAW[1:]), 401),
        ((SUBPROTOCOL, KEY_SUBPROTOCOL), 401),
        ((SUBPROTOCOL, DAW), 401),
        ((KEY_SUBPROTOCOL + DAW,), 400),
    ],
)
async def test_a_handshake_without_key_and_subprotocol_is_refused(
    keyed: Api, protocols: tuple[str, ...], status: int
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await keyed.ws_connect("/ws", protocols=protocols)
    assert refused.value.status == status


async def test_keys_are_never_logged(keyed: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with keyed.get("/api/v1/jobs", headers=bearer(DAW)) as response:
        assert response.status == 200
    for protocols in ((SUBPROTOCOL, KEY_SUBPROTOCOL + DAW), (KEY_SUBPROTOCOL + DAW,), (SUBPROTOCOL, DAW)):
        with suppress(aiohttp.WSServerHandshakeError):
            await (await keyed.ws_connect("/ws", protocols=protocols)).close()
    assert "daw" in caplog.text
    assert DAW not in caplog.text


async def test_live_audio_starts_only_for_the_jobs_owner(keyed: Api, services: Services) -> None:
    """NATS is away, so the subscription waits. Only job 1 is known from memory."""
    services.index.apply(entry(record(1, owner="daw")))
    for number, begins in ((1, True), (2, False)):
        async with keyed.ws_connect(f"/ws?job_id={job_id(number)}&audio=1", headers=bearer(DAW)) as socket:
            await socket.send_str('{"type": "ping"}')
            frame = await socket.receive_json(timeout=2)
            assert (frame == {"type": "pong"}) == begins
    async with keyed.ws_connect(f"/ws?job_id={job_id(1)}&audio=1", headers=bearer(WEB)) as socket:
        error = await socket.receive_json(timeout=2)
        assert (error["type"], error["job_id"]) == ("error", job_id(1))
        assert "There is no job" in error["detail"]
