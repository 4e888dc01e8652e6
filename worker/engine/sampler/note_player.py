"""Plays the parts of a score of notes, each note on its own sample. Nothing is quantised, humanised or echoed."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.band import LONGEST_TAIL, QUIET
from worker.engine.sampler.bank import Bank
from worker.engine.sampler.clock import SAMPLE_RATE
from worker.engine.sampler.mixing import Rooms
from worker.engine.sampler.note_losses import MOST_VOICES
from worker.engine.sampler.note_parts import PlayedPart, Strike
from worker.engine.sampler.patches import HALLS, SENDS, WIDTHS, gain
from worker.engine.sampler.player import CHOKE, Voice
from worker.engine.sampler.width import Widener

Floats = NDArray[np.float32]

# Samples that are rendered at a time.
BLOCK = SAMPLE_RATE // 4
# Samples over which a change of volume is spread, so that it does not click.
RAMP = 160
HATS = ("closed_hat", "open_hat")


class PartPlayer:
    """Plays one part from its beginning."""

    def __init__(self, part: PlayedPart, bank: Bank) -> None:
        self._part = part
        self._bank = bank
        self._next = 0
        self._now = 0
        self._voices: list[Voice] = []
        self._open_hat: Voice | None = None
        self._widener = Widener(WIDTHS[part.stream])
        self._times, self._gains = _curve(part.volumes)
        send = np.float32(SENDS[part.stream])
        self.sends = (np.float32(0), send) if part.sound in HALLS else (send, np.float32(0))

    def play(self, samples: int) -> Floats:
        """The next samples, dry: float32 of shape [2, samples]."""
        end, strikes = self._now + samples, self._part.strikes
        while self._next < len(strikes) and strikes[self._next].begin < end:
            self._begin(strikes[self._next])
            self._next += 1
        out = np.zeros((2, samples), np.float32)
        for voice in self._voices:
            voice.add_to(out, self._now)
        self._voices = [voice for voice in self._voices if not voice.is_over]
        out *= np.interp(np.arange(self._now, end), self._times, self._gains).astype(np.float32)
        self._now = end
        return self._widener.push(out)

    def _begin(self, strike: Strike) -> None:
        if strike.pitch is None:
            rendering = self._bank.hit(strike.sound, strike.piece)
        else:
            rendering = self._bank.note(strike.sound, strike.pitch, strike.layer)
        voice = Voice(rendering, strike.begin, gain(strike.decibels), strike.pan, strike.release)
        if strike.end is not None:
            voice.stop(strike.end)
        if strike.piece in HATS:
            if self._open_hat is not None:
                self._open_hat.stop(strike.begin)
            self._open_hat = voice if strike.piece == "open_hat" else None
        self._voices.append(voice)
        sounding = [each for each in self._voices if not each.is_released_at(strike.begin)]
        for oldest in sounding[: max(0, len(sounding) - MOST_VOICES)]:
            oldest.stop(strike.begin, CHOKE)


def _curve(volumes: Sequence[tuple[int, float]]) -> tuple[list[int], list[float]]:
    """Points of the volume: each change is a short line."""
    times, gains = [0], [volumes[0][1]]
    for at, factor in volumes:
        if at <= times[-1]:
            gains[-1] = factor
        else:
            times += [at, at + RAMP]
            gains += [gains[-1], factor]
    return times, gains


class Ensemble:
    """Plays several parts in their rooms. What it plays of each part alone sums to what it plays of all."""

    def __init__(self, parts: Sequence[PlayedPart], bank: Bank) -> None:
        self._players = [PartPlayer(part, bank) for part in parts]
        self._rooms = Rooms()

    def play(self, samples: int) -> Floats:
        """The next samples, with reverb: float32 of shape [2, samples]."""
        out = np.zeros((2, samples), np.float32)
        sends = [np.zeros_like(out), np.zeros_like(out)]
        for player in self._players:
            sound = player.play(samples)
            out += sound
            for send, share in zip(sends, player.sends, strict=True):
                if share:
                    send += share * sound
        return out + self._rooms.push(sends)

    def tail(self) -> Iterator[Floats]:
        """What still sounds, block by block, until it is silent."""
        for _ in range(0, LONGEST_TAIL, BLOCK):
            block = self.play(BLOCK)
            yield block
            if np.abs(block).max() < QUIET:
                return


def render(parts: Sequence[PlayedPart], samples: int, bank: Bank, on_step: Callable[[], None]) -> Floats:
    """All samples of some parts: float32 of shape [2, samples]. Exceptions of `on_step` abort the work."""
    ensemble, out = Ensemble(parts, bank), np.zeros((2, samples), np.float32)
    for start in range(0, samples, BLOCK):
        on_step()
        out[:, start : start + BLOCK] = ensemble.play(min(BLOCK, samples - start))
    return out
