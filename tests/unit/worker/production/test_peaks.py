"""The peaks against a reader that follows audiowaveform's description of the file sample by sample."""

import json
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.engine.interface import Samples
from worker.production.peaks import OVERVIEW_PIXELS, SAMPLES_PER_PIXEL, Peaks, draw_svg, measure_peaks, waveform_files

RATE = 44_100
SVG = "{http://www.w3.org/2000/svg}"


def noise(frames: int, channels: int = 2) -> Samples:
    samples = np.random.default_rng(frames).normal(0, 0.3, (frames, channels)).astype(np.float32)
    return (np.round(samples.clip(-1, 1) * 32767) / 32768).astype(np.float32)


def read(file: bytes) -> tuple[dict[str, int], list[list[tuple[int, int]]]]:
    """The header and, for each channel, its (minimum, maximum) pairs, in the order of audiowaveform's DataFormat.md."""
    content: dict[str, Any] = json.loads(file)
    data, channels = content.pop("data"), content["channels"]
    assert len(data) == content["length"] * channels * 2
    pairs = [
        [(data[2 * (index * channels + channel)], data[2 * (index * channels + channel) + 1])
         for index in range(content["length"])]
        for channel in range(channels)
    ]  # fmt: skip
    return content, pairs


def pairs_of(samples: Samples, samples_per_pixel: int) -> list[list[tuple[int, int]]]:
    """The same from the samples, as audiowaveform does it: 16 bits, divided by 256 as C divides."""
    return [
        [
            (int(int(part.min()) / 256), int(int(part.max()) / 256))
            for start in range(0, len(channel), samples_per_pixel)
            for part in [channel[start : start + samples_per_pixel]]
        ]
        for channel in np.clip(samples.T * 32768, -32768, 32767).astype(int)
    ]


@pytest.mark.parametrize("frames", [1, 255, 256, 257, 16_383, 16_384, 16_385, 100_001])
@pytest.mark.parametrize("channels", [1, 2])
def test_the_file_holds_what_audiowaveform_would_write(frames: int, channels: int) -> None:
    samples = noise(frames, channels)
    header, pairs = read(measure_peaks(samples, RATE).as_json())
    assert header == {
        "version": 2,
        "channels": channels,
        "sample_rate": RATE,
        "samples_per_pixel": SAMPLES_PER_PIXEL,
        "bits": 8,
        "length": -(-frames // SAMPLES_PER_PIXEL),
    }
    assert pairs == pairs_of(samples, SAMPLES_PER_PIXEL)


def test_16_bit_samples_have_the_same_peaks_as_their_floats() -> None:
    samples = noise(5000)
    integers: NDArray[np.int16] = np.round(samples * 32768).astype(np.int16)
    assert measure_peaks(integers, RATE).as_json() == measure_peaks(samples, RATE).as_json()


def test_samples_beyond_full_scale_stay_within_8_bits() -> None:
    loud = np.array([[-3.0], [3.0], [0.0]], np.float32)
    assert read(measure_peaks(loud, RATE).as_json())[1] == [[(-128, 127)]]


@pytest.mark.parametrize("frames", [1, 1000, OVERVIEW_PIXELS * 256, OVERVIEW_PIXELS * 256 + 1, 2_000_000])
def test_the_overview_is_the_same_waveform_in_few_pixels(frames: int) -> None:
    samples = noise(frames, 1)
    header, pairs = read(measure_peaks(samples, RATE).overview().as_json())
    assert header["length"] <= OVERVIEW_PIXELS
    assert header["samples_per_pixel"] % SAMPLES_PER_PIXEL == 0
    assert header["length"] == -(-frames // header["samples_per_pixel"])
    assert pairs == pairs_of(samples, header["samples_per_pixel"])


@pytest.mark.parametrize("frames", [1, 70_000, 5_000_000])
def test_the_picture_is_small_and_a_page_can_colour_and_scale_it(frames: int) -> None:
    peaks = Peaks(np.full((frames // 256 + 1, 2, 2), [-128, 127], np.int8), RATE, 256)
    picture = draw_svg(peaks, 'Rock & <script> "7"\0\ud800\x1b')
    assert len(picture) < 4096
    root = ElementTree.fromstring(picture)
    assert root.tag == f"{SVG}svg"
    assert set(root.attrib) == {"viewBox", "preserveAspectRatio", "role"}
    assert [(child.tag, child.text) for child in root] == [
        (f"{SVG}title", 'Rock & <script> "7"'),
        (f"{SVG}path", None),
    ]
    assert root[1].get("fill") == root[1].get("stroke") == "currentColor"


def test_the_picture_shows_the_loudest_channel() -> None:
    values = np.array([[[-10, 20], [-30, 5]], [[-1, 1], [-2, 0]]], np.int8)
    root = ElementTree.fromstring(draw_svg(Peaks(values, RATE, 256), "two pixels"))
    assert root.get("viewBox") == "0 -128 1 256"
    assert root[1].get("d") == "M0 -20L1 -1L1 2L0 30Z"


def test_an_audio_file_gets_two_resolutions_and_a_picture() -> None:
    samples = noise(300_000)
    files = {file.name: file for file in waveform_files("electric_piano", samples, RATE, "Electric piano of a song")}
    assert {name: file.kind for name, file in files.items()} == {
        "electric_piano.peaks.json": "peaks",
        "electric_piano.overview.json": "peaks",
        "electric_piano.svg": "waveform",
    }
    (fine, _), (coarse, _) = (read(files[f"electric_piano.{kind}.json"].data) for kind in ("peaks", "overview"))
    assert (fine["samples_per_pixel"], coarse["samples_per_pixel"]) == (256, 512)
    assert b"<title>Electric piano of a song</title>" in files["electric_piano.svg"].data
