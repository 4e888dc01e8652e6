"""JetStream advisories. The examples were recorded from nats-server 2.15."""

import pytest

from shared.advisories import REASON_LENGTH, MaxDeliveries, Terminated, decode_advisory, refusal
from shared.messages import UNDECODABLE

JOB = "gen_000000000001"
GIVEN_UP = (
    b'{"type":"io.nats.jetstream.advisory.v1.max_deliver","id":"6X7cfDCQgs8txxXWpKYl2F",'
    b'"timestamp":"2026-11-23T20:22:33.158195162Z","stream":"MUSIC_JOBS","consumer":"worker-starter",'
    b'"stream_seq":1,"deliveries":3}'
)
REFUSED = (
    b'{"type":"io.nats.jetstream.advisory.v1.terminated","id":"6X7cfDCQgs8txxXWpKYktz",'
    b'"timestamp":"2026-11-23T20:22:32.158490121Z","stream":"MUSIC_JOBS","consumer":"worker-starter","consumer_seq":2,'
    b'"stream_seq":2,"deliveries":1,"reason":"not a job: JSON is \\"malformed\\""}'
)
WITHOUT_REASON = b'{"type":"io.nats.jetstream.advisory.v1.terminated","stream_seq":3,"deliveries":1}'


def test_a_max_deliveries_advisory_gives_sequence_and_deliveries() -> None:
    letter = decode_advisory(GIVEN_UP)
    assert letter == MaxDeliveries(stream_seq=1, deliveries=3)
    assert "delivery 3" in letter.why


def test_a_terminated_advisory_gives_the_reason() -> None:
    letter = decode_advisory(REFUSED)
    assert letter == Terminated(stream_seq=2, deliveries=1, reason='not a job: JSON is "malformed"')
    assert letter.why == 'not a job: JSON is "malformed"'
    assert decode_advisory(WITHOUT_REASON).why == "terminated without a reason"


def test_long_reasons_are_truncated() -> None:
    assert len(Terminated(stream_seq=1, reason="x" * 10_000).why) == REASON_LENGTH


@pytest.mark.parametrize(
    ("reason", "refused"),
    [
        (refusal(JOB, "not a job: it has no recipe"), (JOB, "not a job: it has no recipe")),
        (f"{JOB} has no record", None),
        (f"{JOB}: ", None),
        ("not a job: it has no recipe", None),
        (refusal("../etc", "not a job"), None),
        ("", None),
    ],
)
def test_only_a_reason_that_names_a_job_refuses_it(reason: str, refused: tuple[str, str] | None) -> None:
    assert Terminated(stream_seq=1, reason=reason).refused == refused


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"[" * 100_000,
        b"\xff\xfe",
        b"{}",
        GIVEN_UP.replace(b"max_deliver", b"nak"),
        GIVEN_UP.replace(b'"stream_seq":1', b'"stream_seq":0'),
        GIVEN_UP.replace(b'"stream_seq":1', b'"stream_seq":"1"'),
        GIVEN_UP.replace(b'"stream_seq":1', b'"stream_seq":99999999999999999999'),
        REFUSED.replace(b'"not a', b'7, "x": "'),
    ],
)
def test_invalid_advisories_are_rejected(damaged: bytes) -> None:
    with pytest.raises(UNDECODABLE):
        decode_advisory(damaged)
