"""A piece decodes to audiocraft's audio, however it is split into chunks."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings

from tests.unit.worker.engine.encodec.checkpoints import Reference, configuration, draw_codes, write_checkpoint
from tests.unit.worker.engine.encodec.pieces import TOLERANCE, decode, pieces
from worker.engine.loading.codecs import load_codec

CPU = torch.device("cpu")
LONG = 40

NETWORKS: dict[str, dict[str, Any]] = {
    "mirrored ends": {"pad_mode": "reflect"},
    "silent ends": {"pad_mode": "constant"},
    "no lstm": {"lstm": 0, "pad_mode": "reflect"},
    "one lstm layer": {"lstm": 1},
    "two residual layers": {"n_residual_layers": 2, "pad_mode": "reflect"},
    "no residual layer": {"n_residual_layers": 0},
    "meta's ratios": {"ratios": [8, 5, 4, 4], "pad_mode": "reflect"},
    "even kernels": {"kernel_size": 4, "last_kernel_size": 6, "residual_kernel_size": 4, "pad_mode": "reflect"},
    "pointwise ends": {"kernel_size": 1, "last_kernel_size": 1, "pad_mode": "reflect"},
    "convolutional shortcut": {"true_skip": False},
    "no norm at all": {"norm": "none"},
    "no norm at the outer blocks": {"disable_norm_outer_blocks": 2},
    "two channels": {"channels": 2},
}


@given(piece=pieces())
@settings(deadline=None, max_examples=60)
def test_any_chunks_decode_like_the_whole(reference: Reference, piece: tuple[int, list[int]]) -> None:
    frames, chunks = piece
    codec = load_codec(reference.folder, CPU, stereo=False)
    codes = draw_codes(frames)
    assert_same(decode(codec, codes, chunks), reference.decode(codes))


@given(piece=pieces())
@settings(deadline=None, max_examples=40)
def test_any_chunks_decode_like_the_whole_in_stereo(reference: Reference, piece: tuple[int, list[int]]) -> None:
    frames, chunks = piece
    codec = load_codec(reference.folder, CPU, stereo=True)
    codes = draw_codes(frames, codec.codebooks)
    assert_same(decode(codec, codes, chunks), reference.decode(codes, stereo=True))


@pytest.mark.parametrize("network", NETWORKS)
def test_supported_networks_decode_like_audiocraft(tmp_path: Path, network: str) -> None:
    channels = NETWORKS[network].get("channels", 1)
    made = write_checkpoint(tmp_path, configuration(**NETWORKS[network]))
    codec = load_codec(tmp_path, CPU, stereo=False)
    assert codec.channels == channels
    for frames in (1, 2, 3, 4, 7, LONG):
        codes = draw_codes(frames)
        whole = made.decode(codes)
        assert_same(decode(codec, codes), whole)
        assert_same(decode(codec, codes, [1] * frames), whole)
        assert_same(decode(codec, codes, [0, frames // 2, 0]), whole)


def test_left_and_right_use_alternating_codebooks(reference: Reference) -> None:
    stereo = load_codec(reference.folder, CPU, stereo=True)
    mono = load_codec(reference.folder, CPU, stereo=False)
    codes = draw_codes(9, stereo.codebooks)
    left, right = decode(stereo, codes)
    assert_same(left[None], decode(mono, codes[0::2]))
    assert_same(right[None], decode(mono, codes[1::2]))


def test_streams_of_one_codec_are_independent(reference: Reference) -> None:
    codec = load_codec(reference.folder, CPU, stereo=False)
    first, second = codec.stream(), codec.stream()
    codes, others = draw_codes(12), draw_codes(12, seed=1)
    parts = []
    for begin in range(0, 12, 3):
        parts.append(first.push(codes[:, begin : begin + 3], last=begin == 9))
        second.push(others[:, begin : begin + 3])
    assert_same(torch.cat(parts, 1), reference.decode(codes))


def test_piece_without_frames_has_no_samples(reference: Reference) -> None:
    codec = load_codec(reference.folder, CPU, stereo=True)
    assert codec.stream().push(draw_codes(0, codec.codebooks), last=True).shape == (2, 0)


def test_push_after_the_end_is_rejected(reference: Reference) -> None:
    stream = load_codec(reference.folder, CPU, stereo=False).stream()
    stream.push(draw_codes(1), last=True)
    with pytest.raises(ValueError, match="ended"):
        stream.push(draw_codes(1))


def assert_same(audio: torch.Tensor, expected: torch.Tensor) -> None:
    assert audio.dtype == torch.float32
    assert audio.shape == expected.shape
    loudest = max(expected.abs().max().item(), 1.0)
    assert (audio - expected).abs().max().item() <= TOLERANCE * loudest
