"""Names the parts of a score by what plays them, in the words of gateway/prompts/vocabulary.json."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from shared.music import Instrument
from worker.engine.sampler.general_midi import DRUM_PROGRAMS, PROGRAMS, TIMPANI_CHANNEL, pitched_channel
from worker.engine.sampler.instruments import CRACKLE, Stream
from worker.engine.sampler.midi_file import DRUM_CHANNEL
from worker.engine.sampler.score import Chord, Event, Hits, Note, Score

# The pitched piece among the percussion.
TIMPANI = "timpani"
# Percussion kits that have a word of their own.
_OWN_WORD = ("tambourine", "congas")


class Part(NamedTuple):
    """What plays in a stream.

    Attributes:
        name: the instrument that plays most, with the stream's name if it plays most in another stream, too.
        instruments: all that sound, that one first.
    """

    name: str
    instruments: tuple[Instrument, ...]


def parts_of(score: Score) -> dict[Stream, Part]:
    """The parts of the streams that sound, in the streams' order."""
    found: dict[Stream, tuple[Instrument, ...]] = {}
    for stream in sorted(score.events):
        known: dict[str, Instrument] = {}
        counts: Counter[str] = Counter()
        for _, event in sorted(score.events[stream].items()):
            for instrument in _sounding(stream, event):
                known.setdefault(instrument.name, instrument)
                counts[instrument.name] += 1
        if known:
            found[stream] = tuple(known[name] for name, _ in counts.most_common())
    mains = Counter(instruments[0].name for instruments in found.values())
    return {
        stream: Part(
            main.name if mains[main.name] == 1 else f"{main.name} {stream.name.lower()}", (main, *instruments[1:])
        )
        for stream, instruments in found.items()
        for main in instruments[:1]
    }


def _sounding(stream: Stream, event: Event) -> Iterator[Instrument]:
    match event:
        case Note() | Chord():
            yield _instrument(event.instrument, stream, PROGRAMS[event.instrument], pitched_channel(stream))
        case Hits() if stream is Stream.DRUMS:
            name = "drum machine" if event.kit == "electronic" else "drums"
            yield _instrument(name, stream, DRUM_PROGRAMS[event.kit], DRUM_CHANNEL)
        case Hits(kit=kit) if kit == CRACKLE:
            if event.pieces:
                yield _instrument(CRACKLE, stream, None, None)
        case Hits():
            if TIMPANI in event.pieces:
                yield _instrument(TIMPANI, stream, PROGRAMS[TIMPANI], TIMPANI_CHANNEL)
            if event.pieces - {TIMPANI}:
                name = event.kit if event.kit in _OWN_WORD else "percussion"
                yield _instrument(name, stream, None, DRUM_CHANNEL)


def _instrument(name: str, stream: Stream, program: int | None, channel: int | None) -> Instrument:
    """The channel is from 0 here, and from 1 in the instrument."""
    return Instrument(
        name=name, stream=stream.name.lower(), program=program, channel=None if channel is None else channel + 1
    )
