"""The stored form of a score."""

import zlib
from array import array
from fractions import Fraction

import pytest

from shared.edits import CODES, MOST_STEPS, STREAMS, StoredScore, pack_codes, unpack_codes
from worker.engine.sampler.codes import CODEBOOK_SIZE
from worker.engine.sampler.instruments import PLAYERS, Stream


def score(data: bytes) -> StoredScore:
    return StoredScore(codes=zlib.compress(data), tempo="185/2", samples=1)


def test_codes_come_back() -> None:
    codes = array("H", range(STREAMS * 40))
    packed = StoredScore(codes=pack_codes(codes), tempo="124", samples=1)
    assert unpack_codes(packed) == codes


def test_the_stored_form_has_the_sizes_of_the_sampler() -> None:
    assert (len(Stream), CODEBOOK_SIZE) == (STREAMS, CODES)
    assert len(PLAYERS) == STREAMS - 1


def test_the_tempo_is_exact() -> None:
    assert score(b"").exact_tempo == Fraction(185, 2)


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "equal length"), (bytes(2 * STREAMS + 2), "equal length"), (b"\xff\xff" * STREAMS, "code 65535")],
)
def test_codes_that_are_no_score_are_refused(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        unpack_codes(score(data))


def test_damaged_codes_are_refused() -> None:
    with pytest.raises(ValueError, match="decompressed"):
        unpack_codes(StoredScore(codes=b"no zlib", tempo="124", samples=1))


def test_codes_that_decompress_to_too_much_are_refused() -> None:
    with pytest.raises(ValueError, match="equal length"):
        unpack_codes(score(bytes(2 * STREAMS * (MOST_STEPS + 1))))
