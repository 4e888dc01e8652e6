"""The arithmetic of the benchmarks of load: clients, workers and durability."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import backlog, durable, fanout
from bench.fanout import take_times
from bench.load import Measured
from shared.messages import encode, event_of
from shared.records import encode_record, record_at


@given(st.lists(st.floats(1e9, 2e9), max_size=5), st.lists(st.integers(0, 600), max_size=6))
def test_times_are_read_from_a_stream_cut_anywhere(times: list[float], cuts: list[int]) -> None:
    stream = b"".join(b'\x81~\x00\xff{"seq":1,"message":"at %.6f","at":"2026"}' % each for each in times)
    found, rest, begin = list[float](), b"", 0
    for end in [*sorted(cuts), len(stream)]:
        some, rest = take_times(rest + stream[begin:end])
        found, begin = found + some, max(begin, end)
    assert found == [round(each, 6) for each in times]


def test_the_planted_job_is_sound_and_runs() -> None:
    job = fanout.running("gen_0123456789ab")
    assert record_at(job.job_id, encode_record(job)) == job
    assert b'"status":"processing"' in encode(event_of(job, 1))


def test_memory_and_arrivals_are_shares(capsys: pytest.CaptureFixture[str]) -> None:
    fanout.report(fanout.Fanout([0.01] * 99 + [0.2], 200, 30_000), 10, 5, 2.0)
    text = capsys.readouterr().out
    figures = msgspec.json.decode(text.splitlines()[-1])
    assert (figures["p99_ms"], figures["arrived"], figures["bytes_per_client"]) == (10.0, 0.5, 30_000)
    assert "50.0%" in text
    assert "30.0" in text


def test_a_backlog_lasts_from_the_first_start_to_the_last_end() -> None:
    jobs = [
        {"started_at": f"2026-01-01T00:00:{start:02}Z", "completed_at": f"2026-01-01T00:01:{end:02}.500Z"}
        for start, end in ((10, 1), (5, 3), (20, 2))
    ]
    assert backlog.duration(jobs) == 58.5


def test_ratios_are_those_to_the_first_number_of_workers(capsys: pytest.CaptureFixture[str]) -> None:
    backlog.report({1: 40.0, 2: 20.5, 8: 5.5}, 40)
    figures = msgspec.json.decode(capsys.readouterr().out.splitlines()[-1])
    assert figures["ratios"] == {"2": 1.95, "8": 7.27}


def test_always_is_compared_with_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    def rates(accepts: int, polls: int) -> durable.Rates:
        return durable.Rates(*(Measured([0.01] * count, [], 1.0) for count in (accepts, polls)))

    durable.report({"5s": rates(400, 50), "2m": rates(410, 70), "always": rates(100, 60)}, 4)
    figures = msgspec.json.decode(capsys.readouterr().out.splitlines()[-1])
    assert (figures["always_to_5s"], figures["polls_per_s"], figures["accepts_per_s_always"]) == (0.25, 70.0, 100.0)
