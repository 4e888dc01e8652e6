"""Webhooks from request to receiver, on a real broker."""

import random
from typing import Any

import pytest

from shared import subjects
from tests.integration.system import Api, System, eventually
from tests.integration.webhook_receiver import SECRET, SETTINGS, Receiver, receiving

ALL = ["queued", "processing", "completed", "failed", "cancelled"]


async def deliveries(api: Api, **query: str) -> list[dict[str, Any]]:
    async with api.http.get("/api/v1/webhooks/deliveries", params=query) as response:
        assert response.status == 200
        found: list[dict[str, Any]] = (await response.json())["deliveries"]
        return found


async def until_kinds(receiver: Receiver, job_id: str, *kinds: str) -> None:
    async def arrived() -> bool:
        return receiver.kinds[job_id] == list(kinds)

    await eventually(arrived, f"{kinds} arrive, not {receiver.kinds[job_id]}")


async def test_events_arrive_signed_in_order_and_are_listed(system: System) -> None:
    api, _ = await system.gateway(**SETTINGS), await system.worker()
    async with receiving() as receiver:
        job_id = await api.generate(webhook=receiver.url, webhook_events=ALL)
        await until_kinds(receiver, job_id, "queued", "processing", "completed")

        async def settled() -> bool:
            return {each["status"] for each in await deliveries(api)} == {"delivered"}

        await eventually(settled, "all are delivered")
    listed = await deliveries(api, job_id=job_id, status="delivered")
    assert [each["type"] for each in listed] == ["completed", "processing", "queued"]
    assert {(each["attempts"], each["http_status"], each["error"], each["next_at"]) for each in listed} == {
        (1, 204, None, None)
    }
    assert await deliveries(api, status="failed") == []


async def test_without_a_choice_only_the_end_arrives_and_other_jobs_send_nothing(system: System) -> None:
    api, _ = await system.gateway(**SETTINGS), await system.worker()
    async with receiving() as receiver:
        silent = await api.generate()
        await api.until(silent, "completed")
        job_id = await api.generate(webhook=receiver.url)
        await until_kinds(receiver, job_id, "completed")
    assert receiver.attempts == 1


async def test_a_receiver_that_fails_gets_the_events_later_and_in_order(system: System) -> None:
    left = {"queued": 3, "completed": 2}

    def status(event: dict[str, Any]) -> int:
        left[event["type"]] = left.get(event["type"], 0) - 1
        return 503 if left[event["type"]] >= 0 else 204

    api, _ = await system.gateway(**SETTINGS), await system.worker()
    async with receiving(status) as receiver:
        job_id = await api.generate(webhook=receiver.url, webhook_events=ALL)
        await until_kinds(receiver, job_id, "queued", "processing", "completed")
    assert receiver.attempts == 3 + 2 + 3
    assert receiver.accepted[job_id] == sorted(receiver.accepted[job_id])


async def test_a_delivery_that_was_given_up_is_sent_again_on_request(system: System) -> None:
    answer = 410
    api, _ = await system.gateway(**SETTINGS), await system.worker()
    async with receiving(lambda event: answer) as receiver:
        job_id = await api.generate(webhook=receiver.url)

        async def given_up() -> list[dict[str, Any]]:
            return await deliveries(api, status="failed")

        (failed,) = await eventually(given_up, "410 ends the delivery")
        assert (failed["http_status"], failed["attempts"]) == (410, 1)
        answer = 204
        async with api.http.post("/api/v1/webhooks/deliveries", json={"job_id": job_id}) as response:
            assert response.status == 200
        await until_kinds(receiver, job_id, "completed")
        body = {"job_id": job_id, "seq": failed["seq"]}
        async with api.http.post("/api/v1/webhooks/deliveries", json=body) as response:
            assert response.status == 200
        await until_kinds(receiver, job_id, "completed", "completed")
        for wrong, code in (({"job_id": job_id}, 409), ({"job_id": job_id, "seq": 1}, 409)):
            async with api.http.post("/api/v1/webhooks/deliveries", json=wrong) as response:
                assert response.status == code
        async with api.http.post("/api/v1/webhooks/deliveries", json={"job_id": "gen_000000000000"}) as response:
            assert response.status == 404


async def test_webhooks_are_off_unless_configured(system: System) -> None:
    api = await system.gateway()
    body = {"prompt": "tone", "duration": 1.0, "webhook": "https://studio.example.com/"}
    async with api.http.post("/api/v1/generate", json=body) as response:
        assert response.status == 422
        assert "WEBHOOK_SECRETS" in (await response.json())["detail"]
    async with api.http.get("/api/v1/webhooks/deliveries") as response:
        assert response.status == 404
    assert await system.recorded() == []
    streams = await (await system.nats()).jetstream().streams_info()
    assert f"KV_{subjects.WEBHOOKS_BUCKET}" not in {each.config.name for each in streams}


async def test_a_key_without_a_secret_has_no_webhooks_and_sees_no_deliveries_of_others(system: System) -> None:
    keys = {"API_KEYS": "daw:0123456789abcdef-daw,web:0123456789abcdef-web"}
    api = await system.gateway(**(SETTINGS | keys | {"WEBHOOK_SECRETS": f"daw:{SECRET}"}))
    await system.worker()
    daw, web = ({"Authorization": f"Bearer 0123456789abcdef-{name}"} for name in ("daw", "web"))
    async with receiving() as receiver:
        job_id = await api.generate(webhook=receiver.url, headers=daw)
        await until_kinds(receiver, job_id, "completed")
        body = {"prompt": "tone", "webhook": receiver.url}
        async with api.http.post("/api/v1/generate", json=body, headers=web) as response:
            assert response.status == 422
        path = "/api/v1/webhooks/deliveries"
        async with api.http.get(path, headers=daw) as own, api.http.get(path, headers=web) as other:
            assert [len((await each.json())["deliveries"]) for each in (own, other)] == [1, 0]
        async with api.http.post(path, json={"job_id": job_id, "seq": 1}, headers=web) as response:
            assert response.status == 404


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"webhook_events": ["completed"]}, "webhook"),
        ({"webhook": "https://10.0.0.1/"}, "public"),
        ({"webhook": ""}, "URL"),
        ({"webhook": "https://studio.example.com/", "webhook_events": ["progress"]}, "webhook_events"),
        ({"webhook": "https://studio.example.com/", "webhook_events": []}, "webhook_events"),
    ],
)
async def test_a_wrong_webhook_is_named_and_accepts_nothing(system: System, fields: dict[str, Any], word: str) -> None:
    api = await system.gateway(**SETTINGS)
    async with api.http.post("/api/v1/generate", json={"prompt": "tone", **fields}) as response:
        assert response.status == 422
        assert word in (await response.json())["detail"]
    assert await system.recorded() == []


async def test_two_gateways_share_the_deliveries_and_a_new_one_takes_over(system: System) -> None:
    chance = random.Random(7)
    first = await system.gateway(**SETTINGS)
    second = await system.gateway(**SETTINGS)
    await system.worker(MAX_CONCURRENT_JOBS="8")
    async with receiving(lambda event: 204 if chance.random() < 0.7 else 500) as receiver:
        jobs = [
            await api.generate(duration=0.5, webhook=receiver.url, webhook_events=ALL)
            for api in (first, second)
            for _ in range(10)
        ]
        for job_id in jobs:

            async def complete(job_id: str = job_id) -> bool:
                return len(receiver.first_arrivals(job_id)) == 3

            await eventually(complete, f"{job_id} has three events")
            assert receiver.first_arrivals(job_id) == sorted(receiver.first_arrivals(job_id))
