"""Prints a score as a piano roll: a row for each stream, a column for each sixteenth note."""

from worker.engine.sampler.instruments import Stream
from worker.engine.sampler.score import Chord, Event, Hits, Note, Quality, Score

_NOTES = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_SUFFIXES = {
    Quality.MAJOR: "",
    Quality.MINOR: "m",
    Quality.DOMINANT7: "7",
    Quality.MAJOR7: "M7",
    Quality.MINOR7: "m7",
    Quality.POWER: "5",
    Quality.DIMINISHED: "o",
    Quality.SUSPENDED: "s",
}
_PIECES = {
    "kick": "k",
    "snare": "s",
    "clap_or_rim": "c",
    "closed_hat": "h",
    "open_hat": "o",
    "ride": "r",
    "crash": "C",
    "high_tom": "t",
    "low_tom": "T",
    "shaker_or_tambourine": "s",
    "high_conga": "c",
    "low_conga": "C",
    "timpani": "m",
}
_WIDTH = 4


def print_roll(score: Score, first: int = 0, bars: int = 4) -> str:
    """Format some bars; `·` is no event, `|` a stop."""
    header = score.header
    mode = "minor" if header.minor else "major"
    lines = [f"{header.bpm} bpm, {header.meter}, swing {header.swing}, {_NOTES[header.key]} {mode}"]
    for bar in range(first, min(first + bars, len(score.sections))):
        lines.append(f"bar {bar + 1}: {score.sections[bar].name.lower()}")
        lines.extend(_row(score, stream, bar * header.steps) for stream in score.events)
    return "\n".join(lines)


def _row(score: Score, stream: Stream, start: int) -> str:
    events = score.events[stream]
    found = [events.get(step) for step in range(start, min(start + score.header.steps, score.steps))]
    names = sorted({name for event in found if (name := _name(event))})
    cells = "".join(f"{_cell(event):<{_WIDTH}}" for event in found)
    return f"  {stream.name.lower():<10} {cells} {', '.join(names)}"


def _name(event: Event | None) -> str:
    if isinstance(event, Note | Chord):
        return event.instrument
    return event.kit if isinstance(event, Hits) else ""


def _cell(event: Event | None) -> str:
    match event:
        case None:
            return "·"
        case Note():
            return f"{_NOTES[event.pitch % 12]}{event.pitch // 12 - 1}"
        case Chord():
            return _NOTES[event.root] + _SUFFIXES[event.quality]
        case Hits(roll=roll) if roll > 1:
            return f"h{roll}"
        case Hits():
            return "".join(sorted(_PIECES[piece] for piece in event.pieces)) or "off"
        case _:
            return "|"
