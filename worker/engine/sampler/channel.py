"""The effects of one stream before the mix. They are linear, so that stems sum to the mix."""

import numpy as np
from numpy.typing import NDArray

from worker.engine.sampler.air import Air
from worker.engine.sampler.ducking import Ducking
from worker.engine.sampler.echo import Echo
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.patches import AIR, DUCKS, ECHOES, HALLS, SENDS, WIDTHS
from worker.engine.sampler.score import Chord, Event, Hits, Note
from worker.engine.sampler.width import Widener

Floats = NDArray[np.float32]

# An echo comes after a dotted eighth.
ECHO_STEPS = 3


class Channel:
    """The channel of one stream.

    Attributes:
        ducking: takes the kicks that lower the stream.
        sends: reverb sends to the room and the hall.
    """

    def __init__(self, stream: Stream, start: int = 0) -> None:
        """Begin a piece at the sample `start`."""
        self._stream = stream
        self._air = Air()
        self._echo = Echo()
        self._widener = Widener(WIDTHS[stream])
        self.ducking = Ducking(DUCKS[stream], start)
        self.sends = self._sends(hall=False)

    @property
    def loudest_echo(self) -> float:
        """The peak of all echoes to come."""
        return self._echo.loudest

    def follow(self, event: Event, step: int) -> None:
        """Choose highs, echoes and reverb for the instrument of an event; `step` is a sixteenth in samples."""
        match event:
            case Note() | Chord():
                level = ECHOES.get((event.instrument, self._stream), 0.0)
                self._echo.follow(level, ECHO_STEPS * step)
                self._air.follow(AIR.get(event.instrument, 0.0))
                self.sends = self._sends(hall=event.instrument in HALLS)
            case Hits():
                self.sends = self._sends(hall=event.kit in HALLS)

    def _sends(self, *, hall: bool) -> tuple[float, float]:
        send = SENDS[self._stream]
        return (0.0, send) if hall else (send, 0.0)

    def end(self) -> None:
        """Let the echoes fade faster, because the piece is over."""
        self._echo.end()

    def push(self, sound: Floats) -> Floats:
        """The stream with its effects.

        Args:
            sound: float32 of shape [2, samples], which follow those of the last call.
        """
        return self._echo.push(self._widener.push(self._air.push(self.ducking.push(sound))))
