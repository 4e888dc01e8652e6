"""The waveform of finished audio, so that a page or a DAW draws it without downloading the audio.

The JSON files have audiowaveform's layout, version 2 with 8 bits: https://github.com/bbc/audiowaveform, in
doc/DataFormat.md. peaks.js, waveform-data.js and wavesurfer.js read it.
"""

from html import escape
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.text import xml_text
from worker.engine.interface import Samples

# audiowaveform's default.
SAMPLES_PER_PIXEL = 256
OVERVIEW_PIXELS = 1024
SVG_COLUMNS = 256
# Frames that are converted at a time: a whole number of pixels, small enough for a processor's cache.
BLOCK = 64 * SAMPLES_PER_PIXEL


class Peaks(NamedTuple):
    """The lowest and highest sample of each pixel.

    Attributes:
        values: int8 of shape [pixels, channels, 2]: minimum and maximum, full scale at 128.
        sample_rate: of the audio, in hertz.
        samples_per_pixel: frames in a pixel; the last one may have fewer.
    """

    values: NDArray[np.int8]
    sample_rate: int
    samples_per_pixel: int

    def as_json(self) -> bytes:
        """The file's content in audiowaveform's layout."""
        pixels, channels, _ = self.values.shape
        return msgspec.json.encode(
            {
                "version": 2,
                "channels": channels,
                "sample_rate": self.sample_rate,
                "samples_per_pixel": self.samples_per_pixel,
                "bits": 8,
                "length": pixels,
                "data": self.values.ravel().tolist(),
            }
        )

    def overview(self, pixels: int = OVERVIEW_PIXELS) -> "Peaks":
        """The same waveform in at most `pixels` pixels: each is a power of two of these pixels."""
        factor = 1
        while -(-len(self.values) // factor) > pixels:
            factor *= 2
        starts = np.arange(0, len(self.values), factor)
        low = np.minimum.reduceat(self.values[..., 0], starts)
        high = np.maximum.reduceat(self.values[..., 1], starts)
        return Peaks(np.stack((low, high), axis=-1), self.sample_rate, self.samples_per_pixel * factor)


class WaveformFile(NamedTuple):
    """A file to be stored beside an audio file."""

    kind: Literal["peaks", "waveform"]
    name: str
    data: bytes


def waveform_files(name: str, samples: Samples, sample_rate: int, title: str) -> list[WaveformFile]:
    """The files of one waveform: `name`.peaks.json, `name`.overview.json and `name`.svg.

    Args:
        name: of the audio file, without extension.
        samples: at least one frame, float32 of shape [frames, channels].
        sample_rate: in hertz.
        title: of the picture, for people who cannot see it.
    """
    peaks = measure_peaks(samples, sample_rate)
    return [
        WaveformFile("peaks", f"{name}.peaks.json", peaks.as_json()),
        WaveformFile("peaks", f"{name}.overview.json", peaks.overview().as_json()),
        WaveformFile("waveform", f"{name}.svg", draw_svg(peaks, title)),
    ]


def measure_peaks(samples: Samples | NDArray[np.int16], sample_rate: int) -> Peaks:
    """Measure the peaks of audio, at 256 frames a pixel.

    The values are audiowaveform's: those of 16 bits, divided by 256 and rounded towards zero.

    Args:
        samples: at least one frame, of shape [frames, channels]: float32 with full scale at ±1, or int16.
        sample_rate: in hertz.
    """
    blocks = [_extremes(samples[start : start + BLOCK]) for start in range(0, len(samples), BLOCK)]
    return Peaks(np.concatenate(blocks), sample_rate, SAMPLES_PER_PIXEL)


def _extremes(block: NDArray[Any]) -> NDArray[np.int8]:
    # Channels first: numpy reduces over adjacent samples many times faster.
    channels = np.ascontiguousarray(block.T)
    starts = np.arange(0, len(block), SAMPLES_PER_PIXEL)
    extremes = np.stack((np.minimum.reduceat(channels, starts, 1), np.maximum.reduceat(channels, starts, 1)), axis=-1)
    if extremes.dtype != np.int16:
        extremes = np.clip(np.trunc(extremes * 32768.0), -32768, 32767)
    return np.trunc(extremes / 256.0).astype(np.int8).transpose(1, 0, 2)


def draw_svg(peaks: Peaks, title: str) -> bytes:
    """A picture of the waveform, all channels in one: a page colours it by `color` and scales it as it likes."""
    values = peaks.overview(SVG_COLUMNS).values.astype(int)
    low, high = values[..., 0].min(axis=1), values[..., 1].max(axis=1)
    top = [f"{column} {-value}" for column, value in enumerate(high)]
    bottom = [f"{column} {-value}" for column, value in enumerate(low)]
    name = escape(xml_text(title), quote=False)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -128 {max(len(values) - 1, 1)} 256" '
        f'preserveAspectRatio="none" role="img"><title>{name}</title>'
        f'<path fill="currentColor" stroke="currentColor" stroke-linejoin="round" vector-effect="non-scaling-stroke" '
        f'd="M{"L".join(top + bottom[::-1])}Z"/></svg>\n'
    ).encode()
