"""Requests: what is sent, what is repeated, and which error comes of which answer."""

import asyncio
import time
from email.utils import formatdate
from typing import Any

import pytest
from musicgen_client import (
    AsyncClient,
    AuthenticationError,
    ClientError,
    ConflictError,
    ExpiredError,
    InvalidRequestError,
    JobStatus,
    NotFoundError,
    ProblemError,
    TooManyRequestsError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
)
from musicgen_client.address import authorization, gateway_origin

from tests.unit.clients.gateway import JOB, FakeGateway, view
from tests.unit.clients.vectors import name_of, vectors

ACCEPTED = {"job_id": JOB, "status": "queued", "message": "started", "created_at": "2024-12-01T10:00:00Z"}
GENERATE = ("POST", "/api/v1/generate")
ERRORS: dict[int, type[ProblemError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    404: NotFoundError,
    409: ConflictError,
    410: ExpiredError,
    422: InvalidRequestError,
    429: TooManyRequestsError,
    500: UnavailableError,
    503: UnavailableError,
}


async def test_a_request_has_the_fields_that_were_given(gateway: FakeGateway, client: AsyncClient) -> None:
    gateway.answer(*GENERATE, ACCEPTED)
    assert (await client.generate("house", bars=8, key="Am", seed=None)).id == JOB
    await client.generate(components={"genre": "house"})
    assert gateway.bodies == [
        {"prompt": "house", "bars": 8, "key": "Am", "seed": None},
        {"components": {"genre": "house"}},
    ]


async def test_the_recipe_of_a_job_makes_it_again(gateway: FakeGateway, client: AsyncClient) -> None:
    gateway.answer("GET", f"/api/v1/status/{JOB}", view())
    gateway.answer(*GENERATE, ACCEPTED)
    recipe = (await client.job(JOB).status()).recipe
    await client.generate(**recipe)
    assert gateway.bodies[-1] == view()["recipe"]


async def test_a_request_is_repeated_with_the_same_key_until_it_is_accepted(
    gateway: FakeGateway, client: AsyncClient
) -> None:
    gateway.refuse(*GENERATE, 503)
    gateway.refuse(*GENERATE, 429, headers={"Retry-After": "0"})
    gateway.answer(*GENERATE, b"<html>Bad gateway</html>", status=502)
    gateway.answer(*GENERATE, ACCEPTED)
    await client.generate("house")
    await client.generate("house")
    await client.generate("house", idempotency_key="mine")
    keys = [request.headers["Idempotency-Key"] for request in gateway.requests]
    assert len(set(keys[:4])) == 1
    assert len(set(keys)) == 3
    assert keys[-1] == "mine"


@pytest.mark.parametrize("form", ["1", "date"])
async def test_a_retry_waits_as_long_as_the_gateway_asks(gateway: FakeGateway, client: AsyncClient, form: str) -> None:
    text = form if form == "1" else formatdate(time.time() + 2, usegmt=True)
    gateway.refuse(*GENERATE, 503, headers={"Retry-After": text})
    gateway.answer(*GENERATE, ACCEPTED)
    before = time.monotonic()
    await client.generate("house")
    assert time.monotonic() - before > 0.9


async def test_patience_ends_with_the_gateways_reason(gateway: FakeGateway) -> None:
    gateway.refuse(*GENERATE, 503, "S3 is away.", headers={"Retry-After": "3600"})
    async with AsyncClient(gateway.url, patience=30) as client:
        with pytest.raises(UnavailableError, match=r"S3 is away\.") as caught:
            await client.generate("house")
    assert caught.value.problem.retry_after == 3600
    assert len(gateway.requests) == 1


async def test_a_request_that_may_not_be_repeated_is_sent_once(gateway: FakeGateway, client: AsyncClient) -> None:
    gateway.refuse("POST", "/api/v1/prompt/parse", 503)
    with pytest.raises(UnavailableError):
        await client.request("POST", "/api/v1/prompt/parse", body={"prompt": "house"})
    assert len(gateway.requests) == 1


@pytest.mark.parametrize("vector", vectors("problems"), ids=name_of)
async def test_every_problem_is_the_error_of_its_status(gateway: FakeGateway, vector: dict[str, Any]) -> None:
    gateway.answer("GET", "/x", vector["body"], status=vector["status"], headers=vector["headers"])
    async with AsyncClient(gateway.url, patience=0) as client:
        with pytest.raises(ERRORS[vector["status"]]) as caught:
            await client.request("GET", "/x")
    problem, body = caught.value.problem, vector["body"]
    assert str(caught.value) == problem.detail == body["detail"]
    assert (problem.status, problem.request_id) == (body["status"], body["request_id"])
    assert [{"field": field, "message": message} for field, message in problem.errors] == body.get("errors", [])
    assert problem.recipe == body.get("recipe", {})
    assert problem.retry_after == (float(vector["headers"]["Retry-After"]) if vector["headers"] else None)


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"detail": 3, "errors": ["loud"], "recipe": 4}', b"\xff", b"[" * 9999]
)
async def test_an_error_in_another_format_keeps_its_status(
    gateway: FakeGateway, client: AsyncClient, body: bytes
) -> None:
    gateway.answer("GET", "/x", body, status=404)
    with pytest.raises(NotFoundError, match=r"3|The gateway answered 404 Not Found in an unknown format") as caught:
        await client.request("GET", "/x")
    assert caught.value.problem.errors == ()


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[" * 99_999])
async def test_an_answer_that_is_no_json_is_an_error(gateway: FakeGateway, client: AsyncClient, body: bytes) -> None:
    gateway.answer("GET", "/x", body)
    with pytest.raises(UnexpectedAnswerError, match="unknown format"):
        await client.request("GET", "/x")


async def test_a_redirect_is_not_followed_with_the_key(gateway: FakeGateway) -> None:
    gateway.answer("GET", "/x", b"{}", status=302, headers={"Location": f"{gateway.url}/elsewhere"})
    async with AsyncClient(gateway.url, api_key="k" * 16) as client:
        with pytest.raises(UnexpectedAnswerError):
            await client.request("GET", "/x")
    (request,) = gateway.requests
    assert request.headers["Authorization"] == "Bearer " + "k" * 16


async def test_a_gateway_that_comes_back_is_reached(unused_tcp_port: int) -> None:
    async with AsyncClient(f"http://127.0.0.1:{unused_tcp_port}", patience=20) as client:
        asking = asyncio.create_task(client.request("GET", "/x"))
        await asyncio.sleep(0.05)

        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(greet, "127.0.0.1", unused_tcp_port):
            assert await asking == {}


async def test_a_gateway_that_stays_away_is_one_sentence() -> None:
    async with AsyncClient("http://127.0.0.1:1", patience=0.05) as client:
        with pytest.raises(UnreachableError, match=r"^No gateway answers at http://127\.0\.0\.1:1\."):
            await client.list_jobs()


async def test_all_pages_of_jobs_are_read(gateway: FakeGateway, client: AsyncClient) -> None:
    path = ("GET", "/api/v1/jobs")
    gateway.answer(*path, {"jobs": [view(), view()], "total": 3, "next_cursor": "c"})
    gateway.answer(*path, {"jobs": [view()], "total": 3, "next_cursor": None})
    found = [each async for each in client.jobs(status=JobStatus.COMPLETED)]
    assert [each.job_id for each in found] == [JOB] * 3
    queries = [dict(request.query) for request in gateway.requests]
    assert queries == [{"status": "completed"}, {"status": "completed", "cursor": "c"}]


def test_the_environment_names_the_gateway_and_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (gateway_origin(), authorization()) == ("http://127.0.0.1:8000", {})
    monkeypatch.setenv("MUSICGEN_URL", "https://music.example/")
    monkeypatch.setenv("MUSICGEN_API_KEY", "secret")
    assert (gateway_origin(), authorization()) == ("https://music.example", {"Authorization": "Bearer secret"})
    assert (gateway_origin("http://other:1"), authorization("")) == ("http://other:1", {})


@pytest.mark.parametrize(
    "url", ["host", "ftp://host", "http://host/api", "http://user:secret@host", "http://a b", "http://a..b"]
)
def test_an_invalid_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ClientError, match="is not a gateway URL") as caught:
        gateway_origin(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["two\nlines", "a key", "schlüssel"])
def test_an_invalid_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ClientError, match="invalid in an API key") as caught:
        authorization(key)
    assert key not in str(caught.value)
