"""Plays one stream: turns its events into voices."""

import functools

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.bank import Bank, Rendering
from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.instruments import CRACKLE, Stream
from worker.engine.sampler.patches import (
    CHORD_DECIBELS,
    CHORD_LAYERS,
    KIT_LEVELS,
    KIT_PIECE_LEVELS,
    LEVELS,
    PIECE_LEVELS,
    PIECE_PANS,
    TIMPANI_LOWEST,
    VELOCITY_DECIBELS,
    VELOCITY_LAYERS,
    Patch,
    gain,
    patch_of,
)
from worker.engine.sampler.score import Chord, Event, Hits, Note, Stop
from worker.engine.sampler.voicing import voice_chord

Floats = NDArray[np.float32]

# A release ends at -60 dB.
FALL = float(np.log(1000.0))


class Voice:
    """One sounding note or hit.

    Attributes:
        begin: its first sample.
        release: seconds from the release to silence.
        is_over: whether it has fallen silent.
    """

    def __init__(self, rendering: Rendering, begin: int, gain: float, pan: float, release: float) -> None:
        """Begin a voice.

        Args:
            rendering: the sound.
            begin: its first sample.
            gain: a factor.
            pan: -1 is left, 1 is right, with constant power.
            release: seconds from the release to silence.
        """
        angle = (pan + 1) * np.pi / 4
        self._rendering = rendering
        self._gains = np.array([[np.cos(angle)], [np.sin(angle)]], np.float32) * np.float32(gain)
        self._end: int | None = None
        self.begin = begin
        self.release = release
        self.is_over = False

    @property
    def is_released(self) -> bool:
        return self._end is not None

    def is_released_at(self, at: int) -> bool:
        return self._end is not None and self._end <= at

    def stop(self, at: int, release: float | None = None) -> None:
        """Release the voice at a sample. A voice that is released by then keeps its release."""
        end = max(at, self.begin)
        if self._end is None or end < self._end:
            self._end = end
            self.release = self.release if release is None else release

    def add_to(self, out: Floats, start: int) -> None:
        """Add the voice to a block of audio.

        Args:
            out: float32 of shape [2, samples].
            start: the block's first sample; blocks must be consecutive.
        """
        skipped = max(0, self.begin - start)
        count = out.shape[1] - skipped
        if count <= 0:
            return
        place = start + skipped - self.begin
        sound = self._rendering.read(place, count)
        self.is_over = len(sound) < count
        if self._end is not None:
            sound = self._released(sound, start + skipped)
        out[:, skipped : skipped + len(sound)] += self._gains * sound

    def _released(self, sound: Floats, start: int) -> Floats:
        assert self._end is not None
        curve = fall(max(1, round(self.release * SAMPLE_RATE)))
        if start >= self._end + len(curve):
            self.is_over = True
            return sound[:0]
        held = max(0, self._end - start)
        falling = curve[max(0, start - self._end) :][: max(0, len(sound) - held)]
        self.is_over |= held + len(falling) < len(sound)
        return np.concatenate((sound[:held], sound[held : held + len(falling)] * falling))


@functools.lru_cache(maxsize=64)
def fall(count: int) -> Floats:
    """An exponential decay by 60 dB, scaled to end at 0; float32 of shape [count]."""
    share = np.arange(count) / count
    return (np.exp(-FALL * share) * (1 - share)).astype(np.float32)


# Humanising: the maximum delay of a note in samples, and the maximum change of its level in decibels.
LATEST = 192
LOUDER = 1.0
# A bass glides from the note before if that began at most this many steps before, and to this many semitones.
GLIDE_STEPS, WIDEST_GLIDE = 2, 12
# Doubled notes: the delay of the second take in samples, and the change of both levels in decibels.
SECOND_TAKE = 288
TAKE_DECIBELS = -3.0


def _lateness(stream: int, step: int) -> int:
    """A delay of 0 to 6 ms in samples, the same in every rendering. A note cannot sound before its code is known.

    The first beat has none, so that a piece begins on its first sample.
    """
    return _hash(stream, step) % (LATEST + 1) if step else 0


def _level_offset(stream: int, step: int) -> float:
    """A change of level of -1 to 1 dB, the same in every rendering."""
    return LOUDER * ((_hash(stream + 8, step) % 2001) / 1000 - 1)


def _hash(stream: int, step: int) -> int:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    value = ((step * 16 + stream + 1) * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ value >> 30) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    value = ((value ^ value >> 27) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return value ^ value >> 31


# Release in seconds of a hit that another hit cuts off.
CHOKE = 0.06
CRACKLE_RELEASE = 0.5
# CodeLimits the cymbals of a fast piece, which ring for seconds.
MOST_VOICES = 24


class Player:
    """Plays one stream. Events must be in chronological order."""

    def __init__(self, stream: Stream, bank: Bank) -> None:
        self._stream = stream
        self._bank = bank
        self._level = LEVELS[stream]
        self._voices: list[Voice] = []
        self._crackle: Voice | None = None
        self._open_hat: Voice | None = None
        self._last: tuple[int, int] | None = None

    def take(self, event: Event, at: int, step: int, key: int, length: int = 0) -> None:
        """Begin an event.

        Args:
            event: the event.
            at: its sample. Humanising may delay it a little.
            step: sixteenth notes since the piece began; seeds the humanising.
            key: the tonic's pitch class, to which timpani are tuned.
            length: samples of the step, which the strikes of a roll share.
        """
        loudness = self._level + _level_offset(self._stream, step)
        match event:
            case Stop():
                self.stop(at)
            case Note():
                self._play(event, at + _lateness(self._stream, step), step, loudness)
            case Chord():
                self._strum(event, at + _lateness(self._stream, step), loudness)
            case Hits():
                for strike in range(event.roll):
                    self._strike(event, at + length * strike // event.roll, loudness, key)

    def stop(self, at: int, release: float = 0.0) -> None:
        """Release all notes, in `release` seconds if that is longer than their own release. Hits keep ringing."""
        for sounding in self._voices if self._stream < Stream.DRUMS else []:
            sounding.stop(at, max(release, sounding.release))
        self._switch_crackle(None, at)

    def mix(self, out: Floats, start: int) -> None:
        """Add all voices to a block of audio; see `Voice.add_to`."""
        for sounding in self._voices:
            sounding.add_to(out, start)
        self._voices = [sounding for sounding in self._voices if not sounding.is_over]

    def _play(self, note: Note, at: int, step: int, loudness: float) -> None:
        patch = patch_of(note.instrument, self._stream)
        self.stop(at)
        level = loudness + patch.decibels + VELOCITY_DECIBELS[note.velocity]
        layer = VELOCITY_LAYERS[note.velocity]
        origin = self._origin(note, step) if patch.glides else None
        if patch.double and (self._stream is Stream.ARPEGGIO or note.instrument == "synthesizer"):
            self._double(patch, (note.pitch,), layer, at, level)
        elif origin is None:
            self._add_note(patch, note.pitch, layer, at, level, patch.pan)
        else:
            rendering = self._bank.slide(patch.sound, note.pitch, layer, origin)
            self._add(Voice(rendering, at, gain(level), patch.pan, patch.release))

    def _origin(self, note: Note, step: int) -> int | None:
        """The pitch that a note glides from: that of the note before, if it is close enough in time and pitch."""
        last, self._last = self._last, (note.pitch, step)
        if last is None or step - last[1] > GLIDE_STEPS:
            return None
        return last[0] if 0 < abs(note.pitch - last[0]) <= WIDEST_GLIDE else None

    def _strum(self, chord: Chord, at: int, loudness: float) -> None:
        patch = patch_of(chord.instrument, self._stream)
        self.stop(at)
        pitches = voice_chord(chord.root, chord.quality, patch.centre)
        level = loudness + patch.decibels + CHORD_DECIBELS[chord.velocity]
        if patch.double:
            self._double(patch, pitches, CHORD_LAYERS[chord.velocity], at, level)
            return
        for index, pitch in enumerate(pitches):
            pan = patch.pan + patch.spread * (2 * index / (len(pitches) - 1) - 1)
            late = round(index * patch.strum * SAMPLE_RATE)
            self._add_note(patch, pitch, CHORD_LAYERS[chord.velocity], at + late, level, max(-1.0, min(1.0, pan)))

    def _double(self, patch: Patch, pitches: tuple[int, ...], layer: int, at: int, level: float) -> None:
        """Play notes twice: one take on the left, and a little later another one on the right."""
        for take, pan in enumerate((-patch.double, patch.double)):
            for index, pitch in enumerate(pitches):
                late = take * SECOND_TAKE + round(index * patch.strum * SAMPLE_RATE)
                self._add_note(patch, pitch, layer, at + late, level + TAKE_DECIBELS, pan, take)

    def _add_note(self, patch: Patch, pitch: int, layer: int, at: int, level: float, pan: float, take: int = 0) -> None:
        rendering = self._bank.note(patch.sound, pitch, layer, take)
        self._add(Voice(rendering, at, gain(level), pan, patch.release))

    def _strike(self, hits: Hits, at: int, loudness: float, key: int) -> None:
        if hits.kit == CRACKLE:
            self._switch_crackle(hits, at)
            return
        louder = loudness + KIT_LEVELS.get(hits.kit, 0.0) + VELOCITY_DECIBELS[hits.accent]
        for piece in sorted(hits.pieces):
            level = gain(louder + PIECE_LEVELS[piece] + KIT_PIECE_LEVELS.get((hits.kit, piece), 0.0))
            if piece == "timpani":
                rendering = self._bank.note(piece, TIMPANI_LOWEST + key, 0)
            else:
                rendering = self._bank.hit(f"{self._stream.name.lower()}/{hits.kit}", piece)
            struck = Voice(rendering, at, level, PIECE_PANS.get(piece, 0.0), CHOKE)
            self._choke(piece, struck, at)
            self._add(struck)

    def _choke(self, piece: str, struck: Voice, at: int) -> None:
        """A hit on the hi-hat, open or closed, cuts off the ringing open hi-hat."""
        if piece not in ("closed_hat", "open_hat"):
            return
        if self._open_hat is not None:
            self._open_hat.stop(at)
        self._open_hat = struck if piece == "open_hat" else None

    def _switch_crackle(self, hits: Hits | None, at: int) -> None:
        if hits is not None and hits.pieces and self._crackle is not None:
            return
        if self._crackle is not None:
            self._crackle.stop(at)
            self._crackle = None
        if hits is not None and hits.pieces:
            level = gain(self._level + PIECE_LEVELS["crackle"] + VELOCITY_DECIBELS[hits.accent])
            rendering = self._bank.hit("percussion/vinyl crackle", "crackle")
            self._crackle = Voice(rendering, at, level, 0.0, CRACKLE_RELEASE)
            self._voices.append(self._crackle)

    def _add(self, sounding: Voice) -> None:
        self._voices.append(sounding)
        excess = len([found for found in self._voices if not found.is_released]) - MOST_VOICES
        for oldest in [found for found in self._voices if found is not self._crackle][: max(0, excess)]:
            oldest.stop(sounding.begin, CHOKE)
