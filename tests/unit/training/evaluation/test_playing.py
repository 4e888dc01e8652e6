import threading
from dataclasses import replace

import numpy as np
import torch

from tests.unit.training.evaluation.pieces import encode, written
from training.evaluation.playing import PlayedScores, own_codes, play_own
from training.music import Piece, Spec
from worker.engine.sampler.codec import SamplerCodec
from worker.engine.sampler.codes import Codes

SPEC = Spec(genre="house", bpm=120)


def test_each_thread_finds_the_codes_of_its_own_piece() -> None:
    codec, found = SamplerCodec(), dict[int, Codes]()
    pieces = {bpm: encode(written(replace(SPEC, bpm=bpm)))[:, :32] for bpm in (100, 120)}
    memory = PlayedScores(codec)
    both_begun = threading.Barrier(2)

    def play(bpm: int) -> None:
        stream = codec.stream(None)
        both_begun.wait()
        stream.push(torch.from_numpy(pieces[bpm]))
        found[bpm] = memory.codes

    threads = [threading.Thread(target=play, args=(bpm,)) for bpm in pieces]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[bpm], codes) for bpm, codes in pieces.items())
    assert not np.array_equal(pieces[100], pieces[120])


def test_recording_the_codes_does_not_change_the_audio() -> None:
    codes = torch.from_numpy(encode(written(SPEC))[:, :32])
    remembered, plain = SamplerCodec(), SamplerCodec()
    memory = PlayedScores(remembered)
    first, second = (codec.stream(40_000).push(codes, last=True) for codec in (remembered, plain))
    assert torch.equal(first, second)
    assert np.array_equal(memory.codes, codes.numpy())


def test_own_pieces_stop_where_the_time_is_up() -> None:
    piece = Piece("", SPEC, written(SPEC))
    performance = play_own(piece, 10.0)
    assert performance.audio.shape == (2, 320_000)
    # 120 beats a minute are 8 sixteenths a second.
    assert performance.codes.shape == (8, 16 + 80)
    assert np.array_equal(own_codes(piece, 10.0), performance.codes)
    assert np.abs(performance.audio[:, -100:]).max() < 0.01
