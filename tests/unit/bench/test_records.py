"""The records that the benchmark writes, and its table."""

from datetime import timedelta

import msgspec
import pytest

from bench.records import Row, finished, report
from shared.records import encode_record, record_at

JOB = "gen_0123456789ab"


def test_a_planted_record_is_sound_and_as_large_as_those_of_the_starter() -> None:
    data = encode_record(finished(JOB, 5, timedelta(seconds=3)))
    assert record_at(JOB, data).has_audio
    assert 2_500 < len(data) < 4_000


def test_the_table_shows_each_figure_for_every_number_of_records(capsys: pytest.CaptureFixture[str]) -> None:
    few = Row(1_000, 1.5, 1.0, 70_000_000, 71_000_000, [0.002, 0.004], [0.001], [0.01])
    report([few, few._replace(records=200_000, warm=2.0, status=[0.003])])
    text = capsys.readouterr().out
    figures = msgspec.json.decode(text.splitlines()[-1])
    assert "1.00 → 2.00" in text
    assert "1.0/1.0 → 3.0/3.0" in text
    assert [(row["records"], row["warm_s"], row["status_p50_ms"]) for row in figures["rows"]] == [
        (1_000, 1.0, 1.0),
        (200_000, 2.0, 3.0),
    ]
