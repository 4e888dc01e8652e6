"""The bank of samples: a zip of Ogg Vorbis files and an index, made by training/bank/make.py."""

import functools
import io
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import soundfile
from numpy.typing import NDArray

from worker.engine.checksums import check_files

Floats = NDArray[np.float32]

# Length in samples of the crossfade that closes a loop.
OVERLAP = 1600
# Length in samples of a glide from the last note's pitch.
GLIDE = 2560
# A hit's attack is its first sample above this share of its peak; LEAD_IN samples before it are kept.
ATTACK_LEVEL = 0.01
LEAD_IN = 8


@dataclass(frozen=True, slots=True)
class Rendering:
    """A mono sound at one pitch, ready to be mixed.

    Attributes:
        audio: float32 of shape [samples].
        loop: the sample where the loop begins; None if the sound does not loop.
    """

    audio: Floats
    loop: int | None

    def read(self, begin: int, count: int) -> Floats:
        """Read `count` samples, or fewer where the sound ends.

        Args:
            begin: samples since the sound began, including all rounds of the loop.
            count: the number of samples.
        """
        if self.loop is None or begin + count <= len(self.audio):
            return self.audio[begin : begin + count]
        period = len(self.audio) - self.loop
        places = np.arange(begin, begin + count)
        return self.audio[np.where(places < len(self.audio), places, self.loop + (places - self.loop) % period)]


def shift(audio: Floats, semitones: float) -> Floats:
    """Change the pitch by resampling with a Catmull-Rom spline."""
    if semitones == 0:
        return audio
    return _between(audio, np.arange(0, len(audio) - 1, 2 ** (semitones / 12)))


def glide(rendering: Rendering, semitones: float) -> Rendering:
    """Let a sound begin `semitones` above its pitch, or below, and glide to it."""
    rates = 2 ** (semitones / 12 * np.linspace(1, 0, GLIDE, endpoint=False) ** 2)
    places = np.concatenate(([0.0], np.cumsum(rates)))
    # The glide ends on a sample, so that the rest needs no resampling.
    end = round(places[-1])
    start = _between(rendering.audio, places[:-1] * end / places[-1])
    loop = None if rendering.loop is None else rendering.loop + GLIDE - end
    return Rendering(np.concatenate((start, rendering.audio[end:])), loop)


def _between(audio: Floats, places: NDArray[np.float64]) -> Floats:
    """The audio at fractional samples."""
    index = places.astype(np.int64)
    part = (places - index).astype(np.float32)
    padded = np.pad(audio, (1, 2))
    before, here, after, next_one = (padded[index + offset] for offset in range(4))
    slope = after - before
    square = 2 * before - 5 * here + 4 * after - next_one
    cube = 3 * (here - after) + next_one - before
    return np.asarray(here + 0.5 * part * (slope + part * (square + part * cube)), np.float32)


def close_loop(audio: Floats, first: int, end: int) -> Rendering:
    """Crossfade the loop's end into the audio before its beginning, at constant power.

    Args:
        audio: float32 of shape [samples].
        first: the loop's first sample.
        end: the sample after its last.
    """
    end = min(end, len(audio))
    overlap = min(OVERLAP, first, end - first)
    looped = audio[:end].copy()
    tail, head = looped[end - overlap :], audio[first - overlap : first]
    likeness = float(np.dot(tail, head) / np.sqrt(np.dot(tail, tail) * np.dot(head, head) + 1e-12))
    part = np.linspace(0, 1, overlap, endpoint=False, dtype=np.float32)
    # The power of the sum of two signals with this correlation.
    power = part**2 + (1 - part) ** 2 + 2 * part * (1 - part) * max(likeness, 0.0)
    looped[end - overlap :] = (tail * (1 - part) + head * part) / np.sqrt(power)
    return Rendering(looped, first)


# How much sharper the second take of a note is: six cents.
TAKE_SEMITONES = 0.06

BANK = Path(__file__).parent / "bank.zip"
# A rendered note has 0.2 to 0.6 MB.
MOST_RENDERINGS = 400


class Sample(msgspec.Struct, frozen=True):
    """A sample's entry in the index.

    Attributes:
        file: its name in the zip.
        gain: a factor that makes all instruments equally loud.
        loop: the loop's first sample and the sample after its last; None if the sound does not loop.
        root: the recorded MIDI key.
        layer: velocity layer; 0 is the softest.
        cents: how much the recording is sharp of its root.
    """

    file: str
    gain: float
    loop: tuple[int, int] | None = None
    root: int = 0
    layer: int = 0
    cents: float = 0.0


class Index(msgspec.Struct, frozen=True):
    """The zip's index.json.

    Attributes:
        sample_rate: of all files, in hertz.
        licence: the licence of the sounds.
        notes: samples by the name of a sound.
        hits: samples by kit ("drums/acoustic"), then by kit piece.
    """

    sample_rate: int
    licence: str
    notes: dict[str, list[Sample]]
    hits: dict[str, dict[str, Sample]]


class Bank:
    """Sounds at any pitch, rendered on first use and cached. Thread-safe."""

    def __init__(self, path: Path = BANK) -> None:
        """Open a bank.

        Raises:
            OSError: if the file cannot be read.
            zipfile.BadZipFile: if it is not a zip.
            msgspec.ValidationError: if its index is invalid.
        """
        self._zip = zipfile.ZipFile(path)
        self._index = msgspec.json.decode(self._zip.read("index.json"), type=Index)
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Rendering] = OrderedDict()

    @property
    def licence(self) -> str:
        """The licence of the sounds."""
        return self._index.licence

    def note(self, sound: str, pitch: int, layer: int, take: int = 0) -> Rendering:
        """A sound at a pitch, rendered from the sample with the nearest root, or with the second nearest.

        Args:
            sound: one of the index's `notes`.
            pitch: a MIDI key.
            layer: velocity layer; 0 is the softest. Values above the hardest layer select it.
            take: 0 or 1. The two takes are different recordings, a few cents apart, as if two people played.

        Raises:
            KeyError: if the bank has no such sound.
        """
        return self._keep((sound, pitch, layer, take), lambda: self._render_note(sound, pitch, layer, take))

    def slide(self, sound: str, pitch: int, layer: int, origin: int) -> Rendering:
        """A sound that glides from the pitch `origin` to `pitch`; see `note`."""
        key = (sound, pitch, layer, "from", origin)
        return self._keep(key, lambda: glide(self._render_note(sound, pitch, layer, 0), origin - pitch))

    def hit(self, kit: str, piece: str) -> Rendering:
        """A kit piece.

        Raises:
            KeyError: if the bank has no such kit piece.
        """
        return self._keep((kit, piece), lambda: _on_time(self._render(self._index.hits[kit][piece], 0)))

    def _keep(self, key: Hashable, make: Callable[[], Rendering]) -> Rendering:
        with self._lock:
            found = self._kept.get(key) or make()
            self._kept[key] = found
            self._kept.move_to_end(key)
            if len(self._kept) > MOST_RENDERINGS:
                self._kept.popitem(last=False)
            return found

    def _render_note(self, sound: str, pitch: int, layer: int, take: int) -> Rendering:
        samples = self._index.notes[sound]
        roots = sorted({sample.root for sample in samples}, key=lambda root: abs(root - pitch))
        root = roots[min(take, len(roots) - 1)]
        layers = [sample for sample in samples if sample.root == root]
        return self._render(layers[min(layer, len(layers) - 1)], pitch - root + take * TAKE_SEMITONES)

    def _render(self, sample: Sample, wanted: float) -> Rendering:
        audio, _ = soundfile.read(io.BytesIO(self._zip.read(sample.file)), dtype="float32")
        audio *= np.float32(sample.gain)
        semitones = wanted - sample.cents / 100
        if sample.loop is None:
            return Rendering(shift(audio, semitones), None)
        return close_loop(shift(audio, semitones), *(round(at * 2 ** (-semitones / 12)) for at in sample.loop))


def _on_time(hit: Rendering) -> Rendering:
    """The hit without the recording's lead-in, so that it sounds on the beat and not up to 4 ms later."""
    if hit.loop is not None:
        return hit
    level = np.abs(hit.audio)
    attack = int(np.argmax(level > ATTACK_LEVEL * level.max(initial=0.0)))
    return Rendering(hit.audio[max(attack - LEAD_IN, 0) :], None)


@functools.cache
def default_bank() -> Bank:
    """The bank in this package.

    Raises:
        ModelUnavailableError: if the file is damaged.
    """
    check_files(BANK.parent)
    return Bank(BANK)
