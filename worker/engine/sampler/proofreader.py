"""Corrects the slips of models before anybody plays them: pieces keep tempo, grid and players.

A model draws every code by chance, some thousand a minute. One tempo drawn wrongly would take the rest of a take off
its grid; one instrument drawn wrongly lets a stranger play a note.
"""

from dataclasses import replace

import numpy as np

from worker.engine.sampler.codes import NOTHING, STOP, Codes, event_code, event_of
from worker.engine.sampler.conductor import bar_codes, read_key, read_section, read_tempo
from worker.engine.sampler.instruments import HIT_STREAMS, Stream
from worker.engine.sampler.score import Event, Header, Hits, Section, Stop

# Bars after which what still sounds is released: nobody writes longer notes.
LONGEST = 4


class Proofreader:
    """One piece's, from its beginning."""

    def __init__(self) -> None:
        self._conductor = _Conductor()
        self._players = [_Player(stream) for stream in list(Stream)[1:]]

    def correct(self, codes: Codes) -> Codes:
        """The codes that follow as they were meant.

        Args:
            codes: int64 of shape [8, steps], of any values.
        """
        corrected = np.zeros_like(codes)
        for step, column in enumerate(codes.T):
            corrected[0, step] = self._conductor.correct(int(column[0]))
            longest = LONGEST * self._conductor.header.steps
            for player, code in zip(self._players, column[1:], strict=True):
                corrected[player.stream, step] = player.correct(int(code), longest)
        return corrected


class _Conductor:
    """The first tempo and the first key hold, and from the first tempo on every bar is whole."""

    def __init__(self) -> None:
        self.header = Header()
        self._section = Section.VERSE
        self._has_key = False
        self._place = -1

    def correct(self, code: int) -> int:
        if self._place < 0 and (tempo := read_tempo(code, self.header)) is not None:
            self.header = replace(tempo, key=self.header.key, minor=self.header.minor)
            self._place = 0
        if not self._has_key and (keyed := read_key(code, self.header)) is not None:
            self.header, self._has_key = keyed, True
        self._section = self._section if (found := read_section(code)) is None else found
        if self._place < 0:
            return code
        meant = bar_codes(self.header, self._section)[self._place]
        self._place = (self._place + 1) % self.header.steps
        return meant


class _Player:
    """The first instrument of a stream is all that it plays, and no note sounds for ever."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._name: str | None = None
        self._sounding = 0

    def correct(self, code: int, longest: int) -> int:
        event = event_of(self.stream, code)
        if event is None:
            return self._go_on(longest)
        if isinstance(event, Stop):
            self._sounding = 0
            return STOP
        return self._play(event)

    def _go_on(self, longest: int) -> int:
        if self._sounding == 0 or self.stream in HIT_STREAMS:
            return NOTHING
        self._sounding = (self._sounding + 1) % (longest + 1)
        return NOTHING if self._sounding else STOP

    def _play(self, event: Event) -> int:
        assert not isinstance(event, Stop), "a stop has no instrument"
        self._sounding = 1
        if isinstance(event, Hits):
            self._name = self._name or event.kit
            if event.kit == self._name:
                return event_code(self.stream, event)
            # Things to hit are not the same in every percussion set.
            meant = replace(event, kit=self._name)
            return event_code(self.stream, meant) if self.stream is Stream.DRUMS else NOTHING
        self._name = self._name or event.instrument
        return event_code(self.stream, replace(event, instrument=self._name))
