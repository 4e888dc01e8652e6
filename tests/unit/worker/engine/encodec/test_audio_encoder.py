"""The encoder's codes equal audiocraft's and transformers', every one of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from audiocraft.models.encodec import HFEncodecCompressionModel, InterleaveStereoCompressionModel
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from tests.unit.worker.engine.encodec.checkpoints import Reference, configuration, save, write_checkpoint
from tests.unit.worker.engine.encodec.test_huggingface_format import folder, model  # noqa: F401
from tests.unit.worker.engine.encodec.test_streaming import NETWORKS
from worker.engine.encodec.codec import EncodecCodec
from worker.engine.loading.codecs import load_codec

CPU = torch.device("cpu")
# Shorter than the padding, less than a frame, whole frames, and one sample more or less.
LENGTHS = (1, 3, 39, 40, 41, 800, 16_001)
RATE = 16_000


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums of several threads have another order in each run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def sounds(samples: int, channels: int = 1, rate: int = RATE) -> list[Tensor]:
    """Noise, a chord and near silence, each of shape [channels, samples]."""
    noise = 0.5 * torch.randn(channels, samples, generator=torch.Generator().manual_seed(samples))
    time = torch.arange(samples) / rate
    pitches = torch.tensor([[220.0, 277.2, 329.6], [110.0, 164.8, 440.0]])[:channels]
    chord = 0.3 * torch.sin(2 * torch.pi * pitches[:, :, None] * time).sum(1)
    return [noise, chord, noise * 1e-4]


def write_lively_checkpoint(folder: Path, settings: DictConfig, seed: int = 0) -> Reference:  # noqa: F811
    """A codec with random weights to whose codebooks `liven` gives meaning."""
    made = write_checkpoint(folder, settings)
    liven(made.model.encoder, [layer.codebook for layer in made.model.quantizer.vq.layers], settings.channels, seed)
    save(folder, {"xp.cfg": OmegaConf.to_yaml(settings), "best_state": made.model.state_dict()})
    return made


def liven(encoder: nn.Module, codebooks: list[Tensor], channels: int, seed: int) -> None:
    """Draw the encoder's weights, and fill the codebooks with what it makes of noise: no code is then rare."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for name, tensor in encoder.state_dict().items():
            if not name.endswith(("weight_g", "original0")):
                tensor.normal_(std=0.2)
        vectors = encoder(torch.randn(1, channels, 4 * RATE))[0].T
        for entries in codebooks:
            entries.copy_(vectors[torch.randint(len(vectors), (len(entries),))])
            vectors = vectors - entries[torch.cdist(vectors, entries).argmin(1)]


def encoded(folder: Path | str, audio: Tensor, stereo: bool = False) -> Tensor:  # noqa: F811
    codec = load_codec(folder, CPU, stereo=stereo)
    assert isinstance(codec, EncodecCodec)
    assert codec.encoder is not None
    return codec.encoder.encode(audio)


def reference_codes(model: Any, audio: Tensor) -> Tensor:  # noqa: F811
    with torch.no_grad():
        codes: Tensor = model.encode(audio[None])[0][0]
    return codes


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("network", NETWORKS)
def test_codes_of_any_network_equal_audiocrafts(tmp_path: Path, network: str, seed: int) -> None:
    made = write_lively_checkpoint(tmp_path, configuration(**NETWORKS[network]), seed)
    channels = NETWORKS[network].get("channels", 1)
    for length in LENGTHS:
        for audio in sounds(length, channels):
            codes = encoded(tmp_path, audio)
            assert codes.equal(reference_codes(made.model, audio))
    noise = encoded(tmp_path, sounds(2 * RATE, channels)[0])
    assert min(len(set(row.tolist())) for row in noise) > 4, "codes that are always the same test nothing"


@pytest.mark.parametrize("seed", [1, 2])
def test_stereo_codes_equal_audiocrafts(tmp_path: Path, seed: int) -> None:
    made = write_lively_checkpoint(tmp_path, configuration(pad_mode="reflect"), seed)
    for length in LENGTHS:
        for audio in sounds(length, 2):
            codes = encoded(tmp_path, audio, stereo=True)
            assert codes.equal(reference_codes(InterleaveStereoCompressionModel(made.model), audio))
    noise = encoded(tmp_path, sounds(RATE, 2)[0], stereo=True)
    assert not noise[::2].equal(noise[1::2])


@pytest.mark.parametrize("stereo", [False, True])
def test_codes_equal_those_of_a_codec_in_transformers_format(folder: Path, model: Any, stereo: bool) -> None:  # noqa: F811
    liven(model.encoder, [layer.codebook.embed for layer in model.quantizer.layers], 1, seed=3)
    model.save_pretrained(folder.parent / "encodec")
    wrapped = HFEncodecCompressionModel(model)
    for audio in sounds(32_000, 1 + stereo, rate=32_000):
        codes = encoded(folder, audio, stereo)
        assert codes.equal(reference_codes(InterleaveStereoCompressionModel(wrapped) if stereo else wrapped, audio))
    assert len(set(encoded(folder, sounds(32_000, 1 + stereo)[0], stereo).flatten().tolist())) > 8


def test_the_encoders_own_settings_count(tmp_path: Path) -> None:
    made = write_lively_checkpoint(tmp_path, configuration(encoder={"pad_mode": "reflect", "lstm": 1}))
    audio = sounds(4_000)[0]
    assert encoded(tmp_path, audio).equal(reference_codes(made.model, audio))


def test_a_codec_whose_encoder_is_unknown_still_decodes(tmp_path: Path, reference: Reference) -> None:
    package = torch.load(reference.folder / "compression_state_dict.bin", weights_only=True)
    settings = OmegaConf.create(package["xp.cfg"])
    settings.seanet.encoder = {"groups": 2}
    save(tmp_path, {**package, "xp.cfg": OmegaConf.to_yaml(settings)})
    codec = load_codec(tmp_path, CPU, stereo=False)
    assert isinstance(codec, EncodecCodec)
    assert codec.encoder is None
