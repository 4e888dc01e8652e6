"""Targets: the files of a checkpoint, what a model writes, and the audio that is made of it."""

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import soundfile
import torch
from msgspec.structs import replace

from shared.errors import ModelUnavailableError
from tests.fuzz.files import FOLDER, RECIPE
from tests.fuzz.target import Target
from tests.sampler_checkpoint import HEADER, write_sampler_checkpoint
from tests.unit.worker.engine.sampler.songs import POP, song
from worker.engine.batching.checkpoint import read_checkpoint
from worker.engine.batching.config import parse_config
from worker.engine.interface import UnsupportedCheckpointError
from worker.engine.loading.checkpoints import CODEC_FILE, FILES, LANGUAGE_MODEL_FILE
from worker.engine.loading.codecs import load_codec
from worker.engine.loading.load_errors import explained
from worker.engine.sampler.codes import Codes, decode, encode
from worker.engine.sampler.midi import midi
from worker.engine.text.configuration import read_configuration
from worker.engine.text.tokenizer import load_tokenizer
from worker.engine.text.weights import SAFETENSORS_FILE, EncoderWeights, read_weights
from worker.production.produce import produce
from worker.production.take import Take

CHECKPOINT = write_sampler_checkpoint(FOLDER / "checkpoint")
(ENCODER,) = (file.parent for file in CHECKPOINT.rglob("config.json"))
# The second is for another engine to try.
REFUSALS = (ModelUnavailableError, UnsupportedCheckpointError)


def with_file(file: Path, data: bytes) -> Path:
    """The folder of a file that is now another one."""
    file.write_bytes(data)
    return file.parent


def language_model(data: bytes) -> None:
    """The weights of a language model, which may be any file."""
    folder = with_file(CHECKPOINT / LANGUAGE_MODEL_FILE, data)
    with suppress(*REFUSALS), explained("fuzz", str(folder)):
        read_checkpoint(str(folder))


def codec(data: bytes) -> None:
    """The weights of a codec."""
    folder = with_file(CHECKPOINT / CODEC_FILE, data)
    with suppress(*REFUSALS), explained("fuzz", str(folder)):
        load_codec(folder, torch.device("cpu"), stereo=False)


def configuration(data: bytes) -> None:
    """The text in a checkpoint that tells the model's shape."""
    with suppress(*REFUSALS), explained("fuzz", "fuzz"):
        parse_config(data.decode(errors="replace"))


def text_encoder(data: bytes) -> None:
    """The shape of a text encoder."""
    with suppress(*REFUSALS), explained("fuzz", "fuzz"):
        read_configuration(with_file(ENCODER / "config.json", data))


def tokenizer(data: bytes) -> None:
    """The words of a text encoder."""
    folder = with_file(ENCODER / "tokenizer.json", data)
    with suppress(*REFUSALS), explained("fuzz", str(folder)):
        assert load_tokenizer(folder).encode("happy piano")


def safetensors(data: bytes) -> None:
    """The weights of a text encoder."""
    folder = with_file(ENCODER / SAFETENSORS_FILE, data)
    with suppress(*REFUSALS), explained("fuzz", str(folder)):
        EncoderWeights(read_weights(folder), "cpu")


def score(data: bytes) -> None:
    """Codes that a model may generate: each sequence can be played."""
    steps = len(data) // 16
    codes = np.frombuffer(data[: 16 * steps], "<u2").astype(np.int64).reshape(8, steps)
    assert decode(codes).steps <= steps
    assert midi(codes).startswith(b"MThd")


def samples(data: bytes) -> None:
    """Samples that a model may make: a file that can be read, or a reason."""
    channels = 1 + len(data) % 2
    pcm = np.frombuffer(data[: len(data) // 8 * 8], "<f4").reshape(-1, channels)
    for kind in ("int16", "int24", "float32"):
        take = Take(audio=pcm, sample_rate=32_000, is_whole=False)
        try:
            produce("gen_000000000001", take, replace(RECIPE, sample_format=kind), FOLDER)
        except ValueError:
            assert not np.isfinite(pcm).all() or not len(pcm)
            return
        heard, rate = soundfile.read(FOLDER / "audio.wav", dtype="float32", always_2d=True)
        assert (heard.shape, rate) == (pcm.shape, 32_000)
        assert np.isfinite(heard).all()


def _bytes(codes: Codes) -> bytes:
    return codes.astype("<u2").tobytes()


def _legacy(file: Path) -> bytes:
    """The same in PyTorch's older format: one pickle after the other."""
    buffer = io.BytesIO()
    torch.save(torch.load(file, weights_only=True), buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def _config(file: Path) -> bytes:
    text: str = torch.load(file, weights_only=True)["xp.cfg"]
    return text.encode()


def _seeds(file: Path) -> list[bytes]:
    return [file.read_bytes(), _legacy(file)]


TARGETS = {
    "language_model": Target(language_model, _seeds(CHECKPOINT / LANGUAGE_MODEL_FILE)),
    "codec": Target(codec, _seeds(CHECKPOINT / CODEC_FILE)),
    "configuration": Target(configuration, [_config(CHECKPOINT / name) for name in FILES]),
    "text_encoder": Target(text_encoder, [(ENCODER / "config.json").read_bytes()]),
    "tokenizer": Target(tokenizer, [(ENCODER / "tokenizer.json").read_bytes()]),
    "safetensors": Target(safetensors, [(ENCODER / SAFETENSORS_FILE).read_bytes()]),
    "score": Target(score, [_bytes(encode(song(HEADER, POP, 4)))]),
    "samples": Target(
        samples, [np.array([0, 0.5, -1, 1e30], "<f4").tobytes(), np.array([np.nan, 1e-40], "<f4").tobytes()]
    ),
}
