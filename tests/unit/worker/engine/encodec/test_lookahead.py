"""The lookahead is exact: the number of frames that must follow a frame before its samples are final."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.worker.engine.encodec.checkpoints import configuration, draw_codes, write_checkpoint
from tests.unit.worker.engine.encodec.pieces import decode
from worker.engine.codec_interface import Codec
from worker.engine.loading.codecs import load_codec

FRAMES = 30
FRAME = 12

LOOKAHEADS: dict[str, tuple[dict[str, Any], int]] = {
    "meta's": ({"ratios": [8, 5, 4, 4], "pad_mode": "reflect"}, 4),
    "short": ({"kernel_size": 1, "ratios": [8, 5]}, 1),
    "wide": ({"kernel_size": 7, "ratios": [2, 2], "n_residual_layers": 2, "last_kernel_size": 15}, 8),
}


@pytest.fixture(params=LOOKAHEADS)
def codec(request: pytest.FixtureRequest, tmp_path: Path) -> Codec:
    settings, lookahead = LOOKAHEADS[request.param]
    write_checkpoint(tmp_path, configuration(**settings))
    loaded = load_codec(tmp_path, torch.device("cpu"), stereo=False)
    assert loaded.lookahead == lookahead
    return loaded


def test_code_beyond_the_lookahead_does_not_change_the_frame(codec: Codec) -> None:
    assert torch.equal(frame_after_change(codec, FRAME + codec.lookahead + 1), frame_after_change(codec, None))


def test_code_within_the_lookahead_changes_the_frame(codec: Codec) -> None:
    assert not torch.equal(frame_after_change(codec, FRAME + codec.lookahead), frame_after_change(codec, None))


def test_frame_is_returned_once_its_lookahead_is_pushed(codec: Codec) -> None:
    stream = codec.stream()
    codes = draw_codes(FRAMES)
    returned = 0
    for frame in range(FRAMES):
        returned += stream.push(codes[:, frame : frame + 1]).shape[1]
        complete = max(frame + 1 - codec.lookahead, 0)
        assert complete <= returned / codec.samples_per_frame < complete + 1


def frame_after_change(codec: Codec, changed: int | None) -> torch.Tensor:
    """The samples of `FRAME` after changing the codes of the frame `changed`."""
    codes = draw_codes(FRAMES)
    if changed is not None:
        codes[:, changed] = (codes[:, changed] + 1) % codec.codebook_size
    begin = FRAME * codec.samples_per_frame
    return decode(codec, codes)[:, begin : begin + codec.samples_per_frame]
