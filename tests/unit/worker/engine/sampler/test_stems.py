import numpy as np

from tests.unit.worker.engine.sampler.songs import ELECTRO, song
from worker.engine.sampler.band import RING_OUT, Band
from worker.engine.sampler.bank import default_bank
from worker.engine.sampler.codes import encode
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.mixing import Rooms, mix
from worker.engine.sampler.outputs import stems
from worker.engine.sampler.score import Header, Note, Score, Section


def test_stems_add_up_to_the_mix() -> None:
    codes = encode(song(Header(126), ELECTRO, 2))
    band, rooms = Band(default_bank()), Rooms()
    parts = [mix(band.play(column), band.sends, rooms, band.sides) for column in codes.T]
    band.stop()
    whole = np.concatenate([*parts, mix(band.ring(RING_OUT), band.sends, rooms, band.sides)], axis=1)

    found = stems(codes, whole.shape[1])

    assert list(found) == list(Stream)[1:]
    np.testing.assert_allclose(sum(found.values()), whole, rtol=0, atol=1e-5)
    assert all(np.abs(stem).max() > 0.01 for stem in found.values())


def test_streams_without_events_are_silent() -> None:
    codes = encode(Score(Header(), (Section.VERSE,), 16, {Stream.BASS: {0: Note("cello", 40)}}))
    found = stems(codes, 64_000)
    assert [stream for stream, stem in found.items() if stem.any()] == [Stream.BASS]
