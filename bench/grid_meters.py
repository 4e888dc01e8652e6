"""Meters for `bench.grid` that share no code with the service: decoding, loudness, true peak, onsets, steps, tempo."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pyloudnorm
import soundfile
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d  # type: ignore[import-untyped]
from scipy.signal import correlate, resample_poly, stft  # type: ignore[import-untyped]
from scipy.stats import theilslopes  # type: ignore[import-untyped]

Floats = NDArray[np.float64]

OVERSAMPLING = 4
# Seconds between the frames of the onset envelope, and the length of its window.
HOP, WINDOW = 0.001, 0.008
# Passages whose delays are compared: how many, their length in seconds, and how alike their onsets have to be.
PASSAGES, PASSAGE, ALIKE = 15, 4.0, 0.5
# Standard deviation of the Gaussian that onsets are blurred with, in seconds: stretching changes their finest shape.
BLUR = 0.008
# Onsets of two signals belong together if they are this close, in seconds.
SAME_ONSET = 0.025
# Seconds on both sides of a seam that a seam may change.
NEAR_SEAM = 0.3
# An onset counts from this share of the strongest one's strength on, if it also is this many times the median around
# it, in seconds: sustained sounds ripple all the time.
CLEAR, ABOVE_RIPPLE, AROUND = 0.15, 4.0, 0.5
# Limiters and other sounds weaken an onset; below this share of its strength it is lost.
KEPT = 1 / 3


def decode(path: Path) -> tuple[Floats, int]:
    """The audio of shape [frames, channels] and its sample rate, by libsndfile."""
    samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    return np.asarray(samples), int(rate)


def loudness(path: Path) -> float:
    """Integrated loudness in LUFS: by FFmpeg's ebur128 if it is installed, otherwise by pyloudnorm."""
    if shutil.which("ffmpeg") is None:
        samples, rate = decode(path)
        return float(pyloudnorm.Meter(rate).integrated_loudness(samples))
    command = ["ffmpeg", "-hide_banner", "-nostats", "-i", str(path), "-filter_complex", "ebur128", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(re.findall(r"I:\s+(-?[\d.]+) LUFS", done.stderr)[-1])


def true_peak(samples: Floats) -> float:
    """The highest level in dBTP of the audio at four times its rate, by scipy's polyphase filter."""
    finer = resample_poly(samples, OVERSAMPLING, 1, axis=0)
    return float(20 * np.log10(max(np.abs(finer).max(), np.abs(samples).max(), 1e-12)))


def seam_step(samples: Floats) -> tuple[float, float]:
    """The step from the last frame to the first, and the 99.9th percentile of the steps within; of the worst channel.

    Channels are compared by the ratio of the two.
    """
    across = np.abs(samples[0] - samples[-1])
    within = np.percentile(np.abs(np.diff(samples, axis=0)), 99.9, axis=0)
    worst = int(np.argmax(across / (within + 1e-12)))
    return float(across[worst]), float(within[worst])


def onset_envelope(samples: Floats, rate: int, *, compressed: bool = False) -> Floats:
    """How much louder each frequency became, summed up, at every `HOP`, compared with some milliseconds before.

    `compressed` gives soft onsets weight beside loud ones.
    """
    hop = round(HOP * rate)
    length = 2 * round(WINDOW * rate / 2)
    mono = samples.mean(axis=1)
    _, _, spectrum = stft(mono, rate, nperseg=length, noverlap=length - hop, boundary="zeros", padded=True)
    level = np.abs(spectrum)
    if compressed:
        level = np.log1p(1000 * level)
    lag = round(WINDOW / HOP)
    rise = np.maximum(level[:, lag:] - level[:, :-lag], 0).sum(axis=0)
    return np.concatenate([np.zeros(lag), rise])


def onsets(envelope: Floats) -> list[tuple[float, float]]:
    """The clear onsets: time in seconds, and strength."""
    reach, wide = round(0.05 / HOP), round(AROUND / HOP)
    found = []
    for place in np.flatnonzero(envelope > CLEAR * envelope.max()):
        strength = float(envelope[place])
        ripple = np.median(envelope[max(place - wide, 0) : place + wide + 1])
        if strength == envelope[max(place - reach, 0) : place + reach + 1].max() and strength > ABOVE_RIPPLE * ripple:
            found.append((float(place * HOP), strength))
    return found


def lost_onsets(loop: Floats, raw: Floats, rate: int, first: int = 0) -> int:
    """How many clear onsets of the raw audio near the seam are not in the loop.

    The loop is heard twice, so that its start is heard after its end.

    Args:
        loop: of shape [frames, channels].
        raw: what the loop was made of, at the same rate.
        rate: in hertz.
        first: the frame of `raw` where the loop starts.
    """
    lead = round(0.2 * rate)
    heard = onset_envelope(np.concatenate([loop[-lead:], loop, loop[:lead]]), rate)
    before = raw[max(first - lead, 0) : first]
    silence = np.zeros((lead - len(before), raw.shape[1]))
    made = onset_envelope(np.concatenate([silence, before, raw[first : first + len(loop) + lead]]), rate)
    end = (lead + len(loop)) / rate
    wanted = [(time, strength) for time, strength in onsets(made) if lead / rate - HOP < time < end - SAME_ONSET]
    if not wanted:
        return 0
    reach = round(SAME_ONSET / HOP)
    found = [heard[max(round(time / HOP) - reach, 0) : round(time / HOP) + reach + 1].max() for time, _ in wanted]
    # The loop has another level than the raw audio.
    scale = np.median(found) / np.median([strength for _, strength in wanted])
    return sum(
        best < KEPT * scale * strength
        for best, (time, strength) in zip(found, wanted, strict=True)
        if min(time - lead / rate, end - time) < NEAR_SEAM
    )


def drift(samples: Floats, reference: Floats, rate: int, reach: float = 1.0) -> float:
    """By how much the audio is slower than the reference with the same onsets, as a share; negative: faster.

    The signals, at most `reach` seconds apart, are laid over each other; then the delays of passages whose onsets are
    alike are fitted by a line, whose slope is the median of the slopes between any two of them. Exact up to 1%;
    beyond that the onsets of a passage are too far apart to be alike.

    Returns:
        the share, infinite if hardly any passages are alike.
    """
    shift = round(delay(samples, reference, rate, reach) * rate)
    first, second = _blurred(samples[max(shift, 0) :], rate), _blurred(reference[max(-shift, 0) :], rate)
    length = min(len(first), len(second))
    part, near = min(round(PASSAGE / HOP), length // 3), round(0.15 / HOP)
    starts = np.linspace(0, length - part, PASSAGES).astype(int)
    found = [_delay(first[start : start + part], second[start : start + part], near) for start in starts]
    alike = [(start, late) for start, (late, likeness) in zip(starts, found, strict=True) if likeness > ALIKE]
    if len(alike) < PASSAGES / 3:
        return float("inf")
    times, delays = np.array(alike).T
    return float(theilslopes(delays, times)[0])


def delay(samples: Floats, reference: Floats, rate: int, reach: float) -> float:
    """Seconds by which the onsets come later than in the reference, at most `reach`."""
    first, second = (onset_envelope(each, rate) for each in (samples, reference))
    return HOP * _delay(first, second, round(reach / HOP))[0]


def find_start(samples: Floats, reference: Floats, rate: int) -> float:
    """Where in the longer reference the audio begins, in seconds: where the onsets of both correlate most."""
    heard, made = _blurred(samples, rate), _blurred(reference, rate)
    places = len(made) - len(heard) + 1
    product = correlate(made, heard - heard.mean(), "valid")
    sums, squares = (np.cumsum(np.pad(each, (1, 0))) for each in (made, made**2))
    mean = (sums[-places:] - sums[:places]) / len(heard)
    spread = (squares[-places:] - squares[:places]) / len(heard) - mean**2
    return float(np.argmax(product / np.sqrt(np.maximum(spread, 1e-12)))) * HOP


def _blurred(samples: Floats, rate: int) -> Floats:
    return np.asarray(gaussian_filter1d(onset_envelope(samples, rate, compressed=True), BLUR / HOP))


def _delay(first: Floats, second: Floats, reach: int) -> tuple[float, float]:
    """Frames by which the first signal is later, to a fraction of one; and how alike they then are, up to 1."""
    size = 2 * max(len(first), len(second))
    first, second = first - first.mean(), second - second.mean()
    product = np.fft.rfft(first, size) * np.conj(np.fft.rfft(second, size))
    middle = size // 2
    # Divided by the overlap, or else a large delay would look less likely than a small one.
    overlap = middle - np.abs(np.arange(size) - middle) + 1
    similarity = np.fft.fftshift(np.fft.irfft(product, size)) / overlap
    reach = min(reach, middle * 2 // 3)
    best = middle - reach + int(np.argmax(similarity[middle - reach : middle + reach + 1]))
    before, at, after = similarity[best - 1 : best + 2]
    curve = before - 2 * at + after
    # The vertex of a parabola through the best three.
    late = best - middle + (0.5 * (before - after) / curve if curve else 0.0)
    return float(late), float(at / (first.std() * second.std() + 1e-12))


def first_sound(samples: Floats, rate: int) -> float:
    """Seconds until the audio is within 40 dB of the peak of its first 50 ms."""
    levels = np.abs(samples[: round(0.05 * rate)]).max(axis=1)
    return float(np.argmax(levels > 0.01 * levels.max())) / rate
