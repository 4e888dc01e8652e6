"""Writes FLAC, Ogg Vorbis and MP3 block by block, without the times and random numbers that encoders like to add."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import soundfile
from av.audio.stream import AudioStream
from av.container import OutputContainer
from numpy.typing import NDArray

from worker.production.formats.id3 import id3_tag
from worker.production.formats.mp3 import encode_mp3
from worker.production.formats.ogg import replace_comments
from worker.production.formats.tags import Tags
from worker.production.formats.vorbis import vorbis_comments

# Frames that are encoded at a time.
BLOCK = 65_536
# FFmpeg then writes neither its version nor a random serial number.
_BIT_EXACT = {"fflags": "+bitexact"}
_LAYOUTS = {1: "mono", 2: "stereo"}
# Full scale of integer samples.
_FULL_SCALE = {"int16": 2**15, "int32": 2**23, "float32": 1}
# libsndfile's scale from 1 to 0 for Vorbis's quality 0 to 10: quality 8, some 256 kbit/s in stereo.
_VORBIS_LEVEL = 0.2


def write_flac(path: Path, samples: NDArray[np.generic], sample_rate: int, tags: Tags) -> None:
    """Write FLAC of 16 or 24 bits. The arguments are those of `write_audio`.

    Raises:
        ValueError: for floats, which FLAC does not have.
    """
    if samples.dtype not in (np.int16, np.int32):
        raise ValueError("FLAC holds integers. Ask for int24, or for the format wav.")
    is_16 = samples.dtype == np.int16
    options = {} if is_16 else {"bits_per_raw_sample": "24"}
    with av.open(str(path), "w", format="flac", options=_BIT_EXACT) as file:
        stream = _audio_stream(file, "flac", "s16" if is_16 else "s32", sample_rate, samples.shape[1], options)
        file.metadata.update(vorbis_comments(tags))
        for block in _blocks(samples):
            # FFmpeg takes 24 bits from the upper end of 32.
            _encode(file, stream, block if is_16 else np.left_shift(block, 8))
        _encode(file, stream, None)


def write_ogg(path: Path, samples: NDArray[np.generic], sample_rate: int, tags: Tags) -> None:
    """Write Ogg Vorbis with Xiph's encoder. The arguments are those of `write_audio`.

    FFmpeg's own encoder is experimental, and its best quality is what Xiph's reaches at 150 kbit/s.
    """
    _layout(samples.shape[1])
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        raw = Path(folder, "raw.ogg")
        _encode_vorbis(raw, samples, sample_rate)
        with raw.open("rb") as source, path.open("wb") as target:
            replace_comments(source, target, vorbis_comments(tags))


def _encode_vorbis(path: Path, samples: NDArray[np.generic], sample_rate: int) -> None:
    try:
        with soundfile.SoundFile(
            path, "w", sample_rate, samples.shape[1], "VORBIS", format="OGG", compression_level=_VORBIS_LEVEL
        ) as encoder:
            for block in _blocks(samples):
                encoder.write(_floats(block))
    except (soundfile.SoundFileError, AssertionError) as error:
        # libsndfile hides the system's reason, and soundfile asserts that everything was written.
        raise OSError(f"{path.parent.parent} cannot be written: is the disk full? ({error})") from error


def write_mp3(path: Path, samples: NDArray[np.generic], sample_rate: int, tags: Tags) -> None:
    """Write MP3. The arguments are those of `write_audio`.

    Raises:
        ValueError: for sample rates above 48 kHz, which MP3 does not have.
    """
    frames, channels = samples.shape
    _layout(channels)
    with path.open("w+b") as target:
        target.write(id3_tag(tags))
        encode_mp3(target, map(_shorts, _blocks(samples)), frames, channels, sample_rate)


def _audio_stream(
    file: OutputContainer, codec: str, sample_format: str, sample_rate: int, channels: int, options: dict[str, str]
) -> AudioStream:
    stream = file.add_stream(codec, rate=sample_rate, options=options | {"flags": "+bitexact"})
    assert isinstance(stream, AudioStream)
    stream.format = sample_format
    stream.layout = _layout(channels)
    return stream


def _layout(channels: int) -> str:
    if channels not in _LAYOUTS:
        raise ValueError(f"FLAC, Ogg and MP3 files have one or two channels, not {channels}. Ask for the format wav.")
    return _LAYOUTS[channels]


def _encode(file: OutputContainer, stream: AudioStream, block: NDArray[np.generic] | None) -> None:
    """Encode the next block, or flush the encoder."""
    if block is None:
        file.mux(stream.encode(None))
        return
    is_planar = stream.format.is_planar
    data = np.ascontiguousarray(block.T if is_planar else block.reshape(1, -1))
    frame = av.AudioFrame.from_ndarray(data, format=stream.format.name, layout=stream.layout.name)
    frame.sample_rate = stream.rate
    file.mux(stream.encode(frame))


def _blocks(samples: NDArray[np.generic]) -> Iterator[NDArray[np.generic]]:
    return (samples[start : start + BLOCK] for start in range(0, len(samples), BLOCK))


def _floats(block: NDArray[np.generic]) -> NDArray[np.float32]:
    return block.astype(np.float32) / np.float32(_FULL_SCALE[block.dtype.name])


def _shorts(block: NDArray[np.generic]) -> NDArray[np.int16]:
    """Whole numbers of 16 bits, which LAME takes: their rounding is far below its own noise."""
    whole = np.rint(_floats(block) * np.float32(2**15))
    return np.asarray(np.clip(whole, -(2**15), 2**15 - 1), np.int16)
