"""Collects the events of one stream."""

from collections.abc import Iterator, Sequence

from training.music.form import Bar
from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Event, Stop


class Line:
    """Events by step, added in order. A stop without a sounding note is ignored."""

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
        """Add a stop before later notes that exist already."""
        self.events.setdefault(step, Stop())


def each_bar(
    bars: Sequence[Bar], stream: Stream, names: tuple[str, ...], line: Line
) -> Iterator[tuple[Bar, str, Bar | None]]:
    """Yield each bar in which a stream plays, its instrument there, and the next bar. Stops the line where it pauses.

    Several instruments take turns, four bars each.
    """
    turn, group = -1, -1
    for bar, following in zip(bars, [*bars[1:], None], strict=True):
        if stream not in bar.streams:
            line.stop(bar.start)
            continue
        if bar.index // 4 != group:
            turn, group = turn + 1, bar.index // 4
        yield bar, names[turn % len(names)], following
