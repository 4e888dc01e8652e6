"""W3C trace context."""

import re

import pytest

from gateway.http.trace_context import child_of, new_traceparent

GIVEN = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
FORMAT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def test_a_new_trace_is_sampled_and_well_formed() -> None:
    found = new_traceparent()
    assert FORMAT.fullmatch(found)
    assert found.endswith("-01")
    assert new_traceparent() != found


def test_a_child_keeps_trace_and_flags_and_has_a_span_of_its_own() -> None:
    version, trace_id, span, flags = child_of(GIVEN).split("-")
    assert f"{version}-{trace_id}-{flags}" == "00-4bf92f3577b34da6a3ce929d0e0e4736-00"
    assert span != "00f067aa0ba902b7"
    assert FORMAT.fullmatch(child_of(GIVEN))


@pytest.mark.parametrize(
    "malformed",
    [
        None,
        "",
        "nonsense",
        GIVEN.upper(),
        GIVEN[:-1],
        f"{GIVEN}-extra",
        "ff" + GIVEN[2:],
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01",
    ],
)
def test_a_malformed_parent_gives_a_new_trace(malformed: str | None) -> None:
    found = child_of(malformed)
    assert FORMAT.fullmatch(found)
    assert "4bf92f3577b34da6a3ce929d0e0e4736" not in found
