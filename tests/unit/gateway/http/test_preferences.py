"""Prefer and Cancel-After."""

from datetime import timedelta

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from gateway.http.preferences import preferred_wait, requested_deadline
from gateway.problems import Problem


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], 0),
        (["wait=10"], 10),
        (["WAIT=10"], 10),
        (["respond-async, wait=10"], 10),
        (["respond-async", "wait=10"], 10),
        (['wait="10"; foo=bar, wait=20'], 10),
        (["wait = 5 ; x"], 5),
        (["wait=60"], 60),
        (["wait=999999999"], 60),
        (["wait=0"], 0),
        (["wait"], 0),
        (["wait=soon"], 0),
        (["wait=-1"], 0),
        (["wait=1.5"], 0),
        (["wait=٣"], 0),
        (["awaited=10"], 0),
    ],
)
def test_the_first_wait_of_prefer_counts(headers: list[str], seconds: int) -> None:
    given = CIMultiDict([("Prefer", value) for value in headers])
    assert preferred_wait(make_mocked_request("POST", "/", headers=given)) == seconds


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("90s", 90), ("86400s", 86_400)])
def test_cancel_after_is_a_time(text: str, seconds: int) -> None:
    request = make_mocked_request("POST", "/", headers=CIMultiDict({"Cancel-After": text}))
    assert requested_deadline(request) == timedelta(seconds=seconds)
    assert requested_deadline(make_mocked_request("POST", "/")) is None


@pytest.mark.parametrize("text", ["", "90", "0s", "-1s", "86401s", "1.5s", "90 s", "90S", "1m", "999999s", "٣s"])
def test_another_cancel_after_is_refused(text: str) -> None:
    with pytest.raises(Problem, match="90s") as refused:
        requested_deadline(make_mocked_request("POST", "/", headers=CIMultiDict({"Cancel-After": text})))
    assert refused.value.status == 422
