"""Who gets in, and with what."""

import logging
from contextlib import suppress

import aiohttp
import pytest

from gateway.http.authentication import KEY_SUBPROTOCOL, SUBPROTOCOL
from gateway.http.routes import ROUTES, Route
from gateway.services import Services
from tests.unit.gateway.conftest import Api
from tests.unit.gateway.samples import DAW, WEB, bearer, entry, job_id, record

OPEN = {"/", "/health/live", "/health/ready", "/openapi.json"}


def test_what_is_open_is_what_the_documentation_says() -> None:
    assert {route.path for route in ROUTES if route.is_public} == OPEN


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_every_route_but_the_open_ones_needs_a_key(keyed: Api, route: Route) -> None:
    path = route.path.replace("{job_id}", "gen_000000000000").replace("{name}", "audio.mid")
    async with keyed.request(route.method, path) as response:
        assert (response.status == 401) == (path not in OPEN)
        if response.status == 401:
            assert response.content_type == "application/problem+json"
            assert response.headers["WWW-Authenticate"] == 'Bearer realm="musicgen"'
            assert "Authorization: Bearer KEY" in (await response.json())["detail"]
    async with keyed.request(route.method, path, headers=bearer(DAW)) as response:
        assert response.status != 401


async def test_without_keys_a_gateway_is_open_and_a_key_does_no_harm(api: Api) -> None:
    for headers in ({}, bearer(DAW)):
        async with api.get("/api/v1/jobs", headers=headers) as response:
            assert response.status == 200


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/jobs/", "/health/live/"])
async def test_what_is_not_there_is_no_answer_without_a_key(keyed: Api, path: str) -> None:
    async with keyed.get(path) as response:
        assert response.status == 401
    async with keyed.get(path, headers=bearer(DAW)) as response:
        assert response.status == 404


@pytest.mark.parametrize("header", [f"Bearer {DAW}", f"bearer {DAW}", f"BEARER  {WEB} "])
async def test_the_scheme_has_no_case(keyed: Api, header: str) -> None:
    async with keyed.get("/api/v1/jobs", headers={"Authorization": header}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "header", [f"Bearer {DAW[1:]}", f"Bearer {DAW}x", f"Bearer {DAW},{WEB}", "Bearer \u00e9", "Bearer " + "x" * 5000]
)
async def test_a_wrong_key_is_told_so(keyed: Api, header: str) -> None:
    async with keyed.get("/api/v1/jobs", headers={"Authorization": header}) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].endswith('error="invalid_token"')


@pytest.mark.parametrize("header", [DAW, f"Basic {DAW}", "Bearer", "Bearer ", ""])
async def test_what_is_no_bearer_key_is_asked_for_one(keyed: Api, header: str) -> None:
    async with keyed.get("/api/v1/jobs", headers={"Authorization": header}) as response:
        assert response.status == 401
        assert "error=" not in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("name", ["key", "api_key", "access_token", "token"])
async def test_a_key_in_the_url_opens_nothing(keyed: Api, name: str) -> None:
    async with keyed.get("/api/v1/jobs", params={name: DAW}) as response:
        assert response.status == 401


async def test_a_websocket_may_bring_the_key_in_the_header(keyed: Api) -> None:
    async with keyed.ws_connect("/ws", headers=bearer(DAW)) as socket:
        await socket.send_str('{"type": "ping"}')
        assert await socket.receive_json(timeout=2) == {"type": "pong"}


async def test_a_browser_brings_the_key_in_a_subprotocol_which_is_not_sent_back(keyed: Api) -> None:
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
async def test_any_other_handshake_is_refused(keyed: Api, protocols: tuple[str, ...], status: int) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await keyed.ws_connect("/ws", protocols=protocols)
    assert refused.value.status == status


async def test_no_key_is_ever_logged(keyed: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with keyed.get("/api/v1/jobs", headers=bearer(DAW)) as response:
        assert response.status == 200
    for protocols in ((SUBPROTOCOL, KEY_SUBPROTOCOL + DAW), (KEY_SUBPROTOCOL + DAW,), (SUBPROTOCOL, DAW)):
        with suppress(aiohttp.WSServerHandshakeError):
            await (await keyed.ws_connect("/ws", protocols=protocols)).close()
    assert "daw" in caplog.text
    assert DAW not in caplog.text


async def test_audio_begins_only_when_it_is_known_whose_the_job_is(keyed: Api, services: Services) -> None:
    """NATS is away, so the subscription waits for it. The records in memory tell of one job, and of no other."""
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
