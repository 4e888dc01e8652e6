"""One stream's musician: turns its events into voices."""

from worker.engine.sampler import humanise
from worker.engine.sampler.bank import Bank
from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.instruments import CRACKLE, Stream
from worker.engine.sampler.patches import (
    CHORD_DECIBELS,
    KIT_LEVELS,
    LEVELS,
    PIECE_LEVELS,
    PIECE_PANS,
    VELOCITY_DECIBELS,
    VELOCITY_LAYERS,
    Patch,
    gain,
    patch_of,
)
from worker.engine.sampler.score import Chord, Event, Hits, Note, Stop
from worker.engine.sampler.voice import Floats, Voice
from worker.engine.sampler.voicing import voice

# Seconds in which a stroke fades that another one cuts off.
CHOKE = 0.06
CRACKLE_RELEASE = 0.5
# Cymbals of a fast piece would add up for ever.
MOST_VOICES = 24
TIMPANI_LOWEST = 36


class Player:
    """Plays one stream. Events must come in the order of time."""

    def __init__(self, stream: Stream, bank: Bank) -> None:
        self._stream = stream
        self._bank = bank
        self._level = LEVELS[stream]
        self._voices: list[Voice] = []
        self._crackle: Voice | None = None
        self._open_hat: Voice | None = None

    def take(self, event: Event, at: int, step: int, key: int) -> None:
        """Begin an event.

        Args:
            event: what is new.
            at: its sample; the player may be a little late.
            step: sixteenths since the piece began: what irregularities depend on.
            key: the tonic's pitch class; timpani are tuned to it.
        """
        loudness = self._level + humanise.decibels(self._stream, step)
        match event:
            case Stop():
                self.stop(at)
            case Note():
                self._play(event, at + humanise.delay(self._stream, step), loudness)
            case Chord():
                self._strum(event, at + humanise.delay(self._stream, step), loudness)
            case Hits():
                self._strike(event, at, loudness, key)

    def stop(self, at: int, release: float = 0.0) -> None:
        """Release everything, in so many seconds if that is longer; what was struck rings."""
        for sounding in self._voices if self._stream < Stream.DRUMS else []:
            sounding.stop(at, max(release, sounding.release))
        self._switch_crackle(None, at)

    def mix(self, out: Floats, start: int) -> None:
        """Add what is heard to a stretch of time. See `Voice.add_to`."""
        for sounding in self._voices:
            sounding.add_to(out, start)
        self._voices = [sounding for sounding in self._voices if not sounding.is_over]

    @property
    def is_silent(self) -> bool:
        return not self._voices

    def _play(self, note: Note, at: int, loudness: float) -> None:
        patch = patch_of(note.instrument, self._stream)
        self.stop(at)
        level = loudness + patch.decibels + VELOCITY_DECIBELS[note.velocity]
        self._add_note(patch, note.pitch, VELOCITY_LAYERS[note.velocity], at, level, patch.pan)

    def _strum(self, chord: Chord, at: int, loudness: float) -> None:
        patch = patch_of(chord.instrument, self._stream)
        self.stop(at)
        pitches = voice(chord.root, chord.quality, patch.centre)
        level = loudness + patch.decibels + CHORD_DECIBELS[chord.velocity]
        for index, pitch in enumerate(pitches):
            pan = patch.pan + patch.spread * (2 * index / (len(pitches) - 1) - 1)
            late = round(index * patch.strum * SAMPLE_RATE)
            self._add_note(patch, pitch, chord.velocity, at + late, level, max(-1.0, min(1.0, pan)))

    def _add_note(self, patch: Patch, pitch: int, layer: int, at: int, level: float, pan: float) -> None:
        rendering = self._bank.note(patch.sound, pitch, layer)
        self._add(Voice(rendering, at, gain(level), pan, patch.release))

    def _strike(self, hits: Hits, at: int, loudness: float, key: int) -> None:
        if hits.kit == CRACKLE:
            self._switch_crackle(hits, at)
            return
        louder = loudness + KIT_LEVELS.get(hits.kit, 0.0) + VELOCITY_DECIBELS[hits.accent]
        for piece in sorted(hits.pieces):
            level = gain(louder + PIECE_LEVELS[piece])
            if piece == "timpani":
                rendering = self._bank.note(piece, TIMPANI_LOWEST + key, 0)
            else:
                rendering = self._bank.hit(f"{self._stream.name.lower()}/{hits.kit}", piece)
            struck = Voice(rendering, at, level, PIECE_PANS.get(piece, 0.0), CHOKE)
            self._choke(piece, struck, at)
            self._add(struck)

    def _choke(self, piece: str, struck: Voice, at: int) -> None:
        """A hi-hat is one thing: closed, it does not ring any more."""
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
