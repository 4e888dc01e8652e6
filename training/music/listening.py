"""Lists the instruments of a score in the vocabulary's words."""

from worker.engine.sampler.instruments import CRACKLE, Stream
from worker.engine.sampler.score import Chord, Event, Hits, Note, Score

_TOMS = {"high_tom", "low_tom"}
# The percussion kits that a drum kit's toms come from.
_TOM_SETS = ("percussion", "electronic")
_OWN_WORD = ("congas", "timpani", CRACKLE)


def heard(score: Score) -> frozenset[str]:
    """The instruments that sound in a score. Toms next to drums count as drums."""
    drums = bool(score.events.get(Stream.DRUMS))
    words = (_word(stream, event, drums) for stream, row in score.events.items() for event in row.values())
    return frozenset(word for word in words if word)


def _word(stream: Stream, event: Event, drums: bool) -> str:
    match event:
        case Note() | Chord():
            return event.instrument
        case Hits() if stream is Stream.DRUMS:
            return "drum machine" if event.kit == "electronic" else "drums"
        case Hits() if event.kit in _OWN_WORD:
            return event.kit
        case Hits():
            return "" if drums and event.kit in _TOM_SETS and event.pieces <= _TOMS else "percussion"
        case _:
            return ""
