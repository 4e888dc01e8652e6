"""Health endpoints without NATS and S3."""

from gateway.http.handlers.health import _overall, _workers_component
from gateway.probe import Component
from gateway.services import Services
from shared.worker_info import WorkerState
from tests.unit.gateway.conftest import Api
from tests.unit.gateway.samples import message, worker

WELL, WORSE, ILL = Component("healthy"), Component("degraded"), Component("unhealthy")


def test_the_worst_component_determines_the_status() -> None:
    assert _overall({"a": WELL, "b": WELL}) == "healthy"
    assert _overall({"a": WELL, "b": WORSE}) == "degraded"
    assert _overall({"a": ILL, "b": WORSE, "c": WELL}) == "unhealthy"


def test_one_ready_worker_is_healthy() -> None:
    assert _workers_component([worker("a", state=WorkerState.FAILED), worker("b")]) == WELL


def test_no_worker_is_degraded_with_a_remedy() -> None:
    found = _workers_component([])
    assert found.status == "degraded"
    assert "musicgen worker" in found.message


def test_a_failed_worker_reports_its_remedy() -> None:
    failed = worker(state=WorkerState.FAILED, message="No such model.", remedy="Name another one.")
    assert _workers_component([failed]) == Component("degraded", "No such model. Name another one.")


async def test_a_gateway_without_nats_is_alive_but_not_ready(api: Api) -> None:
    async with api.get("/health/live") as response:
        assert response.status == 200
    async with api.get("/health/ready") as response:
        assert response.status == 503
        assert "NATS" in (await response.json())["detail"]


async def test_health_lists_every_component_during_an_outage(api: Api, services: Services) -> None:
    await services.probe._check_nats()
    await services.probe._check_s3()
    await services.workers.on_message(message("music.workers.w1", worker("w1")))
    async with api.get("/health") as response:
        assert response.status == 503
        body = await response.json()
    states = {name: component["status"] for name, component in body["components"].items()}
    assert states == {
        "nats": "unhealthy",
        "stream": "unhealthy",
        "events": "unhealthy",
        "audio": "unhealthy",
        "kv": "unhealthy",
        "s3": "degraded",
        "workers": "healthy",
    }
    assert {"status", "version", "uptime", "model_info", "system_info"} <= set(body)
    assert body["status"] == "unhealthy"
    assert body["uptime"] >= 0
    assert body["model_info"]["serving"] == ["starter"]
    assert "secret" not in str(body)
