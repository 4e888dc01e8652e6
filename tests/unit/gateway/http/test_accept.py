"""The header Accept."""

import pytest

from gateway.http.accept import prefers


@pytest.mark.parametrize(
    ("accept", "wants_json"),
    [
        ("", False),
        ("*/*", False),
        ("application/*", False),
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/json, text/plain, */*", True),
        ("text/html, application/json", True),
        ("text/html, application/json;q=0.9", False),
        ("text/html;q=0.8, application/json;q=0.9", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("application/json;q=0, */*", False),
        ("application/json;q=much", False),
        (";;,,q=", False),
    ],
)
def test_json_must_be_named_and_liked_as_much_as_html(accept: str, wants_json: bool) -> None:
    assert prefers(accept, "application/json", "text/html") == wants_json
