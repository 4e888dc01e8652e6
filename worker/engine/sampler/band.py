"""All players and the conductor: takes a column of codes, returns a sixteenth note of every stream."""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.bank import Bank
from worker.engine.sampler.channel import Channel
from worker.engine.sampler.clock import SAMPLE_RATE, Clock
from worker.engine.sampler.codes import Codes, event_of
from worker.engine.sampler.conductor import Conductor
from worker.engine.sampler.instruments import CRACKLE, Stream
from worker.engine.sampler.player import Player
from worker.engine.sampler.score import Event, Hits, Stop
from worker.engine.sampler.width import side_gain

Floats = NDArray[np.float32]

PLAYED = tuple(Stream)[1:]
# Release in seconds of a piece's last notes.
LAST_RELEASE = 1.5
# Samples rendered after a piece's last step.
RING_OUT = 2 * SAMPLE_RATE
# What sounds on after a loop is rendered in blocks, until one is below -90 dBFS.
TAIL_BLOCK = SAMPLE_RATE // 4
LONGEST_TAIL = 12 * SAMPLE_RATE
# The kit whose kicks lower the other streams.
DUCKING_KIT = "electronic"
QUIET = 10 ** (-90 / 20)


class Band:
    """Plays a piece from its beginning, step by step."""

    def __init__(self, bank: Bank, tempo: Fraction | None = None, first_step: int = 0) -> None:
        """Begin a piece.

        Args:
            bank: the bank of samples.
            tempo: see `Clock`.
            first_step: see `Clock`. A step sounds the same whatever precedes it, but for what still rings.
        """
        self._conductor = Conductor()
        self._clock = Clock(tempo, first_step)
        self._players = {stream: Player(stream, bank) for stream in PLAYED}
        self._step = first_step
        self._now = self._clock.position
        self._channels = {stream: Channel(stream, self._now) for stream in PLAYED}

    @property
    def sends(self) -> Floats:
        """The reverb sends of the samples played last: [2, 7], to the room and the hall."""
        return np.array([channel.sends for channel in self._channels.values()], np.float32).T

    @property
    def sides(self) -> float:
        """The gain of the sides in the mix, for the ensemble of the samples played last; see `side_gain`."""
        return side_gain([each for each in PLAYED if self._conductor.player(each) not in (None, CRACKLE)])

    @property
    def loudest_echo(self) -> float:
        """The peak of all echoes to come."""
        return max(channel.loudest_echo for channel in self._channels.values())

    def play(self, column: Codes) -> Floats:
        """Play the next sixteenth note.

        Args:
            column: integers of shape [8]; invalid codes count as "no event".

        Returns:
            float32 of shape [7, 2, samples]: every stream but the conductor's, without reverb. No samples during the
            count-in.
        """
        was_over = self._conductor.is_over
        self._conductor.read(int(column[Stream.CONDUCTOR]))
        header = self._conductor.header
        if self._conductor.counts_in:
            return self.ring(0)
        begin, end = self._clock.advance(header)
        if not was_over:
            late = self._clock.swing_delay(header, self._conductor.place)
            self._begin(column, begin + late, header.key, self._clock.step_samples(header))
        self._step += 1
        return self.ring(end - begin)

    def ring(self, samples: int) -> Floats:
        """Render this many samples of the sounding notes without new events. Returns the shape of `play`."""
        out = np.zeros((len(PLAYED), 2, samples), np.float32)
        for row, stream in enumerate(PLAYED):
            self._players[stream].mix(out[row], self._now)
            out[row] = self._channels[stream].push(out[row])
        self._now += samples
        return out

    def stop(self) -> None:
        """Release all notes slowly, and let the echoes end."""
        self._release(LAST_RELEASE)
        for channel in self._channels.values():
            channel.end()

    def _release(self, seconds: float) -> None:
        for player in self._players.values():
            player.stop(self._now, seconds)

    def tail(self) -> Iterator[Floats]:
        """Release all notes as if the next had come, and render all that still sounds: blocks of the shape of `play`.

        The caller stops when the reverb is quiet, too.
        """
        self._release(0.0)
        for _ in range(0, LONGEST_TAIL, TAIL_BLOCK):
            yield self.ring(TAIL_BLOCK)

    def _begin(self, column: Codes, at: int, key: int, length: int) -> None:
        player = self._conductor.player
        events = {stream: event_of(stream, int(column[stream]), player(stream), key) for stream in PLAYED}
        # If all streams stop at once, the piece is over; its section `END` is declared three steps later.
        if self._conductor.is_over or all(isinstance(event, Stop) for event in events.values()):
            self.stop()
        for stream, event in events.items():
            if event is not None and not self._conductor.is_over:
                self._players[stream].take(event, at, self._step, key, length)
                self._channels[stream].follow(event, length)
        self._duck(events[Stream.DRUMS], at)

    def _duck(self, event: Event | None, at: int) -> None:
        if isinstance(event, Hits) and event.kit == DUCKING_KIT and "kick" in event.pieces:
            for channel in self._channels.values():
                channel.ducking.add(at)
