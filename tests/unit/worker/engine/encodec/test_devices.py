"""The codec on other devices than x86 processors, for which its weights are packed."""

from pathlib import Path

import pytest
import torch

from tests.unit.worker.engine.encodec.checkpoints import Reference, configuration, draw_codes, write_checkpoint
from tests.unit.worker.engine.encodec.pieces import TOLERANCE, decode
from tests.unit.worker.engine.encodec.test_streaming import NETWORKS
from worker.engine.encodec.packing import short_dtype
from worker.engine.kernels.codec_layers import CodecThreads, runs_here
from worker.engine.loading.codecs import load_codec

# GPUs round float32 products to ten bits by default (TF32).
GPU_TOLERANCE = 5e-3

# Eight bits: 44 dB below the audio.
BFLOAT16_ERROR = 6e-3
# Fewer roundings cancel each other in narrow networks.
ERROR_OF_SMALL_NETWORKS = 8e-3

FRAMES = 130


@pytest.mark.parametrize("stereo", [False, True])
@pytest.mark.parametrize("machine", ["x86_64", "arm64"])
def test_processors_decode_the_same_audio(
    reference: Reference, monkeypatch: pytest.MonkeyPatch, machine: str, stereo: bool
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    codec = load_codec(reference.folder, torch.device("cpu"), stereo=stereo)
    codes = draw_codes(FRAMES, codec.codebooks)
    expected = reference.decode(codes, stereo)
    for chunks in ([], [1, 0, 7, 40]):
        torch.testing.assert_close(decode(codec, codes, chunks), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.skipif(short_dtype() != torch.bfloat16, reason="this processor does not multiply bfloat16")
@pytest.mark.parametrize("stereo", [False, True])
@pytest.mark.parametrize("native", [False, True])
def test_bfloat16_decodes_nearly_the_same_audio(reference: Reference, stereo: bool, native: bool) -> None:
    threads = CodecThreads(2) if native and runs_here() else None
    codec = load_codec(reference.folder, torch.device("cpu"), stereo=stereo, dtype=torch.bfloat16, native=threads)
    codes = draw_codes(FRAMES, codec.codebooks)
    expected = reference.decode(codes, stereo)
    for chunks in ([], [1, 0, 7, 40]):
        error = decode(codec, codes, chunks) - expected
        assert 0 < error.norm() < BFLOAT16_ERROR * expected.norm()
        assert error.abs().max() < 4 * BFLOAT16_ERROR * expected.abs().max()


@pytest.mark.skipif(not runs_here(), reason="this processor does not multiply bfloat16, or no compiler")
@pytest.mark.parametrize("network", NETWORKS)
def test_native_layers_decode_any_network_and_chunks_change_no_bit(tmp_path: Path, network: str) -> None:
    made = write_checkpoint(tmp_path, configuration(**NETWORKS[network]))
    codec = load_codec(tmp_path, torch.device("cpu"), stereo=False, native=CodecThreads(2))
    codes = draw_codes(FRAMES)
    whole, expected = decode(codec, codes), made.decode(codes)
    assert 0 < (whole - expected).norm() < ERROR_OF_SMALL_NETWORKS * expected.norm()
    for chunks in ([1] * 20, [7, 0, 40]):
        assert torch.equal(decode(codec, codes, chunks), whole)


@pytest.mark.gpu
@pytest.mark.parametrize(
    "device",
    [
        pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")),
        pytest.param("mps", marks=pytest.mark.skipif(not torch.backends.mps.is_available(), reason="no Apple GPU")),
    ],
)
def test_gpu_decodes_the_same_audio_and_returns_it_on_the_gpu(reference: Reference, device: str) -> None:
    codec = load_codec(reference.folder, torch.device(device), stereo=True)
    codes = draw_codes(FRAMES, codec.codebooks)
    audio = decode(codec, codes, [1, 0, 7, 40])
    assert audio.device.type == device
    torch.testing.assert_close(audio.cpu(), reference.decode(codes, stereo=True), rtol=0, atol=GPU_TOLERANCE)
