"""Packing of records in memory."""

import sys
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.index.record_packing import pack, unpack
from shared.messages import JobRecord, JobStatus, Recipe, encode
from shared.music import Ignored, Instrument, Measured, Music, SectionStart, Understood
from tests.unit.gateway.samples import completed, extras, outputs

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
RECORDS = st.builds(
    completed,
    st.integers(0, 10**12 - 1),
    recipe=st.builds(
        Recipe, model=st.just("small"), prompt=TEXTS, duration=st.floats(0.1, 600), seed=st.integers(0, 2**32 - 1)
    ),
    status=st.sampled_from(JobStatus),
    created_at=MOMENTS,
    completed_at=st.none() | MOMENTS,
    error_message=st.none() | TEXTS,
    owner=st.none() | TEXTS,
    outputs=st.just(()) | st.just(outputs()),
    extras=st.just(()) | st.just(extras()),
    music=st.none() | st.builds(Music, key=st.none() | TEXTS, bpm=st.none() | st.floats(allow_nan=False)),
    measured=st.none() | st.just(Measured(lufs=-14.0, downbeats=(0.0, 1.9))),
    seq=st.integers(0, 2**63),
    quarantined=st.booleans(),
)


@given(RECORDS)
def test_packing_round_trips(of: JobRecord) -> None:
    assert unpack(pack(of)) == of


def test_a_number_beyond_64_bits_is_packed_too() -> None:
    of = completed(1, seq=2**70)
    assert unpack(pack(of)) == of


def test_a_finished_record_takes_less_than_half_of_its_json() -> None:
    music = Music(
        understood=tuple(Understood(word, f"{word}s") for word in ("drum", "bell", "harp")),
        ignored=("vocals",),
        ignored_because=(Ignored("vocals", "the starter has no singer"),),
        bpm=124.0,
        key="A minor",
        meter="4/4",
        bars=32,
        sections=tuple(SectionStart(name="verse", bar=1 + 4 * each, start=7.74 * each) for each in range(8)),
        instruments=tuple(Instrument(name=f"bass {each}", stream="bass", program=each, channel=1) for each in range(7)),
    )
    measured = Measured(lufs=-14.03, true_peak_dbtp=-1.02, downbeats=tuple(each * 240 / 124 for each in range(32)))
    of = completed(1, music=music, measured=measured, extras=extras(1))
    assert sys.getsizeof(pack(of)) < len(encode(of)) / 2
