"""Exemplars of histograms."""

import pytest

from shared.metrics import exemplar


def test_an_exemplar_has_the_trace_id_and_the_given_labels() -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    traceparent = f"00-{trace_id}-00f067aa0ba902b7-01"
    assert exemplar(traceparent, job_id="gen_123456789abc") == {"trace_id": trace_id, "job_id": "gen_123456789abc"}


@pytest.mark.parametrize("traceparent", [None, "", "00", "00-short-00f067aa0ba902b7-01"])
def test_a_missing_or_malformed_trace_gives_no_exemplar(traceparent: str | None) -> None:
    assert exemplar(traceparent, job_id="gen_123456789abc") is None
