"""Requests that the OpenAPI document of a running gateway allows, and requests that it does not."""

import re
from typing import Any, get_args

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CheckFunction
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance, response_schema_conformance

from gateway.http.route import Route
from gateway.http.routes import ROUTES
from shared.edits import EditKind
from tests.fuzz.conftest import Served

# An operation gets so small a share of the inputs, twice: once as the document has it, once not quite.
SHARE = 10
# What no schema can tell: which models there are, which bytes are music, that a text has words in it, that this is a
# WebSocket, which ETag and how many bytes a file has (412 and 416), and which takes have a score, with how many bars.
DOWNLOADS = {route.path for route in ROUTES if 412 in route.problems}
EDITS = {f"/api/v1/jobs/{{job_id}}/{kind}" for kind in get_args(EditKind) if kind != "play"}
BODIES = {"/api/v1/generate", "/api/v1/prompt/build", "/api/v1/prompt/parse", "/api/v1/audio"}
UNTOLD = {"/ws"} | BODIES | DOWNLOADS | EDITS
# Headers that may have any text, so that no wrong one can be made.
ANY_TEXT = {"If-None-Match"}
# A traceback would be none, too.
OWN_LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[(info|warning|error) +\] (?!forged)")


def _takes_input(route: Route) -> bool:
    return bool(route.body or route.query or {*route.headers} - ANY_TEXT or "{" in route.path)


REQUESTS = [
    pytest.param(route, mode, id=f"{route.method} {route.path} {mode.value}")
    for route in ROUTES
    for mode in GenerationMode
    if mode.is_positive or _takes_input(route)
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("route", "mode"), REQUESTS)
def test_every_response_is_in_the_openapi_document(
    served: Served, route: Route, mode: GenerationMode, inputs: int
) -> None:
    operation = served.schema[route.path][route.method]
    excluded: list[CheckFunction] = [positive_data_acceptance] if route.path in UNTOLD else []
    if route.is_stream:
        excluded.append(response_schema_conformance)  # takes the schema of the whole text for that of each event

    @settings(
        max_examples=max(inputs // SHARE, 1), deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(operation.as_strategy(generation_mode=mode), st.booleans())
    def ask(case: schemathesis.Case[Any], about_the_job: bool) -> None:
        if about_the_job and mode.is_positive and "job_id" in case.path_parameters:
            case.path_parameters["job_id"] = served.job_id
        case.call_and_validate(session=served.http, excluded_checks=excluded, allow_redirects=False, timeout=10)

    ask()
    assert served.http.get(f"{served.url}/health/live", timeout=10).status_code == 200


def test_clients_cannot_forge_log_lines(served: Served) -> None:
    forged = "2026-01-01T00:00:00Z [error    ] forged"
    body = {"prompt": f"a\n{forged}", "duration": 0.5}
    assert served.http.post(f"{served.url}/api/v1/generate", json=body, timeout=10).status_code in (200, 503)
    served.http.get(f"{served.url}/nothing%0A{forged}", headers={"X-Request-ID": "a b"}, timeout=10)
    lines = served.process.log.splitlines()
    assert any("job accepted" in line for line in lines)
    assert [line for line in lines if not OWN_LINE.match(line)] == []
