"""The events of one stream while they are written."""

from collections.abc import Iterator, Sequence

from training.music.form import Bar
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Event, Stop


class Line:
    """Events by step, written in order. Only what sounds is stopped."""

    def __init__(self) -> None:
        self.events: dict[int, Event] = {}
        self._sounds = False

    def play(self, step: int, event: Event) -> None:
        self.events[step] = event
        self._sounds = True

    def stop(self, step: int) -> None:
        if self._sounds and step not in self.events:
            self.events[step] = Stop()
            self._sounds = False

    def stop_within(self, step: int) -> None:
        """Stop what was played before this step, even if later notes are written already."""
        self.events.setdefault(step, Stop())


def each_bar(
    bars: Sequence[Bar], stream: Stream, names: tuple[str, ...], line: Line
) -> Iterator[tuple[Bar, str, Bar | None]]:
    """The bars in which a stream plays, who plays it there, and the bar after; where it pauses, it is stopped.

    Several players take turns, four bars each.
    """
    turn, group = -1, -1
    for bar, following in zip(bars, [*bars[1:], None], strict=True):
        if stream not in bar.streams:
            line.stop(bar.start)
            continue
        if bar.index // 4 != group:
            turn, group = turn + 1, bar.index // 4
        yield bar, names[turn % len(names)], following
