"""Job status, job list and cursors, from memory."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.handlers.job_status import _decode_cursor, _encode_cursor
from gateway.problems import Problem
from gateway.services import Services
from shared.messages import JobStatus
from tests.unit.gateway.conftest import Api
from tests.unit.gateway.samples import NOON, completed, entry, job_id, record

MOMENTS = st.integers(0, 4_000_000_000_000).map(
    lambda milliseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
)


async def listing(api: Api, **query: str) -> dict[str, Any]:
    async with api.get("/api/v1/jobs", params=query) as response:
        assert response.status == 200
        body: dict[str, Any] = await response.json()
        return body


@given(MOMENTS, st.integers(0, 10**12 - 1))
def test_a_cursor_round_trips(created_at: datetime, number: int) -> None:
    made = record(number, created_at=created_at)
    assert _decode_cursor(_encode_cursor(made)) == (created_at, made.job_id)
    assert len(_encode_cursor(made)) <= 64


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "-",
        "1-",
        f"-{job_id(1)}",
        f"1{job_id(1)}",
        "1-gen_1",
        f"-1-{job_id(1)}",
        f"1.5-{job_id(1)}",
        f"{'9' * 15}-{job_id(1)}",
        f"٣-{job_id(1)}",
        f"²-{job_id(1)}",
        f"1-{job_id(1)}-x",
        f" 1-{job_id(1)}",
    ],
)
def test_a_malformed_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Problem) as caught:
        _decode_cursor(cursor)
    assert [error.field for error in caught.value.errors] == ["cursor"]


@given(st.text(max_size=64))
def test_any_cursor_is_decoded_or_refused(cursor: str) -> None:
    try:
        position = _decode_cursor(cursor)
    except Problem:
        return
    assert position.job_id in cursor


async def test_pages_cover_every_job_once_newest_first(api: Api, services: Services) -> None:
    for number in range(7):
        services.index.apply(entry(record(number, age=number // 2)))
    seen: list[str] = []
    page = await listing(api, limit="3")
    while True:
        assert page["total"] == 7
        seen += [job["job_id"] for job in page["jobs"]]
        if page["next_cursor"] is None:
            break
        page = await listing(api, limit="3", cursor=page["next_cursor"])
    assert seen == [each.job_id for each in services.index.newest(10, None, None)]


async def test_jobs_are_sorted_by_milliseconds(api: Api, services: Services) -> None:
    order = [5, 1, 4, 2, 3]  # not the order of the ids
    for number in (3, 1, 5, 4, 2):
        created = NOON + timedelta(milliseconds=order.index(number))
        services.index.apply(entry(record(number, created_at=created)))
    jobs = (await listing(api))["jobs"]
    assert [job["job_id"] for job in jobs] == [job_id(number) for number in reversed(order)]
    assert [job["created_at"] for job in jobs] == [f"2026-01-01T12:00:00.00{number}Z" for number in (4, 3, 2, 1, 0)]


async def test_the_last_page_has_no_cursor(api: Api, services: Services) -> None:
    for number in range(3):
        services.index.apply(entry(record(number)))
    assert (await listing(api, limit="3"))["next_cursor"] is None


async def test_a_status_filters_the_list_and_its_total(api: Api, services: Services) -> None:
    services.index.apply(entry(record(1)))
    services.index.apply(entry(completed(2)))
    page = await listing(api, status="completed")
    assert [job["job_id"] for job in page["jobs"]] == [job_id(2)]
    assert page["total"] == 1


async def test_an_empty_list_is_a_200(api: Api) -> None:
    assert await listing(api) == {"jobs": [], "total": 0, "next_cursor": None}


async def test_a_status_has_every_field_of_the_contract(api: Api, services: Services) -> None:
    services.index.apply(entry(completed(1, status=JobStatus.COMPLETED, message="Done")))
    async with api.get(f"/api/v1/status/{job_id(1)}") as response:
        body = await response.json()
    assert {
        "job_id": job_id(1),
        "status": "completed",
        "progress": 1.0,
        "message": "Done",
        "created_at": "2026-01-01T12:00:00.000Z",
        "started_at": None,
        "error_message": None,
        "prompt": "a tone",
        "duration": 10.0,
        "audio_url": f"/api/v1/download/{job_id(1)}",
        "file_size": 44,
        "actual_duration": 10.0,
    }.items() <= body.items()


@pytest.mark.parametrize("path", ["status", "download"])
@pytest.mark.parametrize("wrong", ["gen_1", "gen_ABCABCABCABC", "..%2f..%2fetc", "gen_12345678901*", "%00"])
async def test_a_malformed_job_id_is_a_404_while_nats_is_away(api: Api, path: str, wrong: str) -> None:
    async with api.get(f"/api/v1/{path}/{wrong}") as response:
        assert response.status == 404
        assert response.content_type == "application/problem+json"


async def test_an_unknown_job_is_a_503_while_nats_is_away(api: Api) -> None:
    async with api.get(f"/api/v1/status/{job_id(1)}") as response:
        assert response.status == 503
    async with api.delete(f"/api/v1/jobs/{job_id(1)}") as response:
        assert response.status == 503
