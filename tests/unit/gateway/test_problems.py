"""Problem details."""

from http import HTTPStatus

import msgspec
import pytest
from aiohttp import web

from gateway.problems import FieldError, Problem, invalid, problem_response, unavailable, unknown_job


def body(response: web.Response) -> dict[str, object]:
    assert isinstance(response.body, bytes)
    decoded: dict[str, object] = msgspec.json.decode(response.body)
    return decoded


def test_a_problem_has_title_status_detail_and_request_id() -> None:
    response = problem_response(Problem(HTTPStatus.CONFLICT, "Wait."), "r1")
    assert response.status == 409
    assert response.content_type == "application/problem+json"
    assert body(response) == {"title": "Conflict", "status": 409, "detail": "Wait.", "request_id": "r1"}


def test_headers_of_a_problem_reach_the_response() -> None:
    assert problem_response(unavailable("Away.", retry_after=7), "r1").headers["Retry-After"] == "7"


@pytest.mark.parametrize(("field", "detail"), [("duration", "duration: Too long."), ("", "Too long.")])
def test_the_detail_of_invalid_fields_names_the_first(field: str, detail: str) -> None:
    problem = invalid(FieldError(field, "Too long."), FieldError("seed", "Not a number."))
    assert problem.detail == detail
    assert body(problem_response(problem, ""))["errors"] == [
        {"field": field, "message": "Too long."},
        {"field": "seed", "message": "Not a number."},
    ]


def test_a_long_unknown_job_id_is_truncated() -> None:
    assert "'gen_1'" in unknown_job("gen_1").detail
    assert len(unknown_job("x" * 10_000).detail) < 200
